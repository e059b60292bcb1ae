// Package acceptance shows the plugin to a stranger: every script in testdata
// is a story on a real Vault server, with the plugin as Vault starts it and Zoho
// simulated over sockets. A script reads as a manual; lines that begin with
// vault are what a person types.
//
// Run them all with "make acceptance" in the repository's root, one with
//
//	go test -count=1 -run Stories/tutorial -v .
//
// VAULT_BIN names a Vault binary; without it scripts/vault-bin finds or builds
// one. StoriesOnOpenBao are the same scripts on the server that BAO_BIN names, or bao
// on the PATH; without one they are skipped ("make openbao" insists). Linux only: plugin processes are found in /proc.
//
// # Commands of the scripts
//
// Besides those of testscript (exec, env, stdout, stderr, grep, cmp, ...):
//
//	zoho-sim [FLAG...]             start Zoho; sets CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, ACCOUNTS_URLS,
//	                               SELF_CLIENT_ID, SELF_CLIENT_SECRET, DEVICE_CLIENT_ID, DEVICE_CLIENT_SECRET,
//	                               MOBILE_CLIENT_ID, MOBILE_CLIENT_SECRET, MOBILE_REDIRECT_URI, ACCOUNTS_<DC>, API_<DC> and
//	                               ZOHO_CONTROL
//	vault-start [bare] [raw]       start and unseal a server with an audit log, and mount the plugin at zoho/
//	                               (bare: neither registered nor mounted; raw: storage is open at sys/raw); sets VAULT_ADDR, VAULT_TOKEN, UNSEAL_KEY,
//	                               VAULT_LOG, AUDIT_LOG, PLUGIN_SHA256, PLUGIN_VERSION; VAULT_BIN, the
//	                               path of the server's binary, SERVER (vault or openbao) and PLUGIN_DIRECTORY are set before
//	vault-standby                  start a second server that joins it; sets STANDBY_ADDR, STANDBY_LOG
//	vault-restart [-kill]          stop the server (-kill: as a power cut does) and start it on what it stored
//	vault-configure FILE           add a file to the server's configuration, and have it read that (kill -HUP)
//	vault-kill [PATTERN DURATION]  kill -9 the server and leave its plugins alone, now or that long after Zoho's
//	                               counts match; vault-restart starts it again
//	plugin-kill                    kill -9 the plugin's process
//	plugin-mark                    remember which plugin processes there are; vault-kill does so, too
//	plugin-ends                    wait until these have ended
//	no-orphan                      wait until every grant at Zoho is one that Vault has stored (vault-start raw)
//	vault-agent CONFIG             start Vault Agent; sets AGENT_LOG
//	[!] vault ARG...               the server's command line: vault, or bao
//	consent [FLAG...] URL          say yes on Zoho's page; prints the address the browser lands on.
//	                               -data-center=DC, -email=USER, -reject, -no-state, -no-accounts-server
//	connect NAME... [FIELD=VALUE]  the tutorial's way to a credential, where it is not the point of the story:
//	                               authorize with these fields, consent, and write the address to creds
//	browser [-tab=NAME] VERB       the same at a real browser, which lives as long as the story. Verbs print the status,
//	                               the title and the text of the page that they lead to:
//	                               open URL, accept, reject (on Zoho's page), as EMAIL (with that account), reload, back,
//	                               wait (for the page after "press accept" or "press reject", which do not wait)
//	                               address prints what the bar shows, run JAVASCRIPT what comes of it; close closes the tab
//	app                            start an app for a browser to go on to, which shows what it was told; sets APP_URL
//	login [FLAG...] NAME           start zoho-login and wait until it waits for the person, or has ended; what it opens
//	                               or prints is LINK, a device's code USER_CODE, the file with its messages LOGIN_LOG. LOGIN_PORT is a port of this story alone
//	login-type TEXT                type a line for the last one
//	login-ends [-interrupt] CODE   wait until the last one ends with this exit code, after Ctrl-C if told to; prints what
//	                               it printed
//	self-client-code SCOPES        make a code in the console of the self client; prints it
//	zoho METHOD PATH [JSON]        ask the simulator's control API
//	capture NAME [FIELD]           put the last output into the environment: all of it, one field (a.b.c) of it as
//	                               JSON, or one parameter (?code) of it as an address
//	until [-within=DURATION] [!] PATTERN COMMAND [-- COMMAND]...
//	                               repeat vault ARG... or zoho METHOD PATH, in this order, until the output of the
//	                               last one matches, at most two minutes if not said otherwise
//	tokens-in FILE N               watch FILE until it has shown N tokens; each must be alive at Zoho while it is shown
//	release VERSION                build the plugin as this release and put it, with register, into the folder VERSION
//	canary TEXT...                 what must not be told either
//	no-secret-in FILE...           fail if a secret is in a file
//	expect-violation PATTERN       this story makes Zoho complain, and is right to
//
// What differs between servers stands behind [vault] or [openbao], with the reason. Variables
// keep their names on OpenBao, whose command reads VAULT_ADDR where there is no BAO_ADDR.
//
// EXAMPLES is docs/examples, whose files are run as they stand there. [browser], [node], [python3],
// [hvac], [ansible] and [consul-template] are true where that is installed.
//
// All servers speak TLS with one certificate; VAULT_CACERT and CURL_CA_BUNDLE name it.
//
// # Time
//
// A story must not depend on the speed of the machine: what is said of a state
// that passes is asked for with until, what takes time takes it on the simulator's
// clock (zoho POST /advance), and where Vault's own clock has to run, whoever
// must come in time has half a minute. A wait is only ever too long.
//
// # After every story
//
// The simulator must have counted no violation. No client secret, code, refresh
// token, access token or PKCE verifier may be in the server's log (at trace
// level), the audit log, an agent's log, a page at the end of a consent or anything the vault
// command printed, save what "vault read .../creds/..." is there to print, the enhance
// token in the address that add_scopes answers, and the address of a callback, which
// Vault's audit devices write as it came.
package acceptance
