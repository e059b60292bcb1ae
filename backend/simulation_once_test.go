// Which scripts once broke a promise? They are played for ever after.

package backend_test

import (
	"strings"
	"testing"
)

// scriptsThatOnceFailed are shrunk scripts of the simulation, by what went wrong.
var scriptsThatOnceFailed = map[string]string{
	"a read between the storing of a credential and of its first token lost its own": `
		settings 0000000000000000
		self-code 0002142b0000
		read 000000000000
		time 000000000d00
		revoke 000000000000`,
	"a failed exchange dropped the note of retirement that another had written": `
		settings 0000000000580000
		connect 000000000000
		zoho-fails 0000006ce6a5
		read 000000000000
		connect 004a00000000
		connect 000000000000`,
	"revoke did not reach tokens of a replaced grant": `
		settings 0000000000000000
		connect 000000000000
		read 000000000000
		self-code 000000000000
		revoke 000000000000`,
	"revoke did not reach tokens of replaced client credentials": `
		settings 0000000000000000
		client-credentials 00000000bd00
		read 000000000000
		client-credentials 000000000000
		revoke 000000000000`,
	"a token that was revoked under one name was handed out under another": `
		settings ce000000007f0000
		connect b60000000000
		import 580000006f00
		read-with d10000000000
		self-code 860000000000
		revoke 9e0000000000
		read d30000000000`,
	"delete did not reach tokens of a replaced grant": `
		settings 0000000000000000
		connect 000000000000
		read 000000000000
		self-code 000000000000
		delete 000000000000`,
	"deleting one of two credentials of one grant revoked it, since the other's note had failed": `
		settings 0800000022000000
		import 4900b8ec0000
		import 7d0000000000
		delete 800000000000`,
	"reconnecting one of two credentials of one grant revoked it, since the other's note had failed": `
		settings b6000000ca000000
		import aa00b7a4d700
		user-revokes 000000000000
		import 000000009900
		connect 000000000000`,
	"a delete during a first connect was undone": `
		settings 0000000000000000
		zoho-fails 000000006700
		self-code 003e00000000
		delete 000000000000`,
	"a delete during an import was undone": `
		settings 0000000000000000
		self-code 000000000000
		import 00027529fa00
		delete 000000000000`,
	"finishing more scopes deleted the consent that had been started meanwhile": `
		settings 0000000000000000
		zoho-fails 000000003042
		import 000000000000
		add-scopes 000000000000
		callback 00ce00000000
		add-scopes 000000000000
		read-with 000000000000
		callback 000000000000`,
	"a consent that nobody finished stayed in storage": `
		settings 0000000000000000
		authorize 000000000000`,
	"a device consent that nobody finished stayed in storage": `
		settings 0000000000000000
		device 000000000000`,
	"a sweep revoked a grant that was imported meanwhile": `
		settings 0000000000000000
		connect 000000000000
		time 00000000c500
		zoho-fails 790000004c00
		self-code 000000000000
		tick 000000000000
		import 000000002b00`,
	"a replaced refresh token that could not be stored was lost": `
		settings 000e000000000000
		connect 000000000000
		read 000017030000`,
	"a refresh token that Zoho replaced during a reconnection was lost": `
		settings 000e000000000000
		device 000000000000
		approve 00000000003a
		self-code 000276290000
		read-with 000000000000`,
	"an import that Zoho answered with another refresh token was lost": `
		settings 000e000000000000
		import 000000000000`,
	"mints before Zoho replaced the refresh token were forgotten": `
		settings 000e000000000000
		self-code 000000000000
		read-with 000000000037
		read-with 000000000037`,
	"tokens from before Zoho replaced the refresh token were not revoked": `
		settings 000e000000000000
		connect 000000000000
		read 000000000000
		revoke 000000000000`,
	"after a crash a code was sent once more, for another name": `
		settings fe00000000000000
		self-code ec0000000000
		crash 000000000000
		self-code 000000000f00`,
	"a page that refused the client counted as a revocation": `
		settings 0040000000000000
		connect 000000000000
		secret 000000000000
		read 000000000000
		revoke 000000000000`,
	"an unreadable answer with status 400 counted as a revocation": `
		settings 0000000000000000
		connect 000000000000
		secret 000000000000
		read 000000000000
		zoho-fails d2000000eb00
		revoke 000000000000`,
	"a new grant was revoked though it was stored in place of the old one": `
		settings 0000000000000000
		import 000000000000
		storage-moody 8000d3ef5750
		self-code 000000000000`,
	"a tab of another account that was kept for hours ended the link": `
		settings 0000000000000000
		click 000000006b00
		time 000000009500
		callback 000ff7850000
		tick 000000000000`,
	"the browser of a replaced link was told to wait for the other one": `
		settings 8456c66d001c0000
		zoho-fails 00000000d496
		click 008283001a01
		click 18005b030000`,
	"a delete that was done and failed to say so left the credential in memory, and its note was void": `
		settings 0000000000000000
		connect 000000000000
		callback 000000000000
		storage-moody 0000ab651b47
		delete 007900000000`,
	"a delete left a token of a former grant alive, since it was not settled that another credential had left it": `
		settings d900000000000000
		import 43000000e200
		read-with 410000000000
		import 1d0000000000
		connect 000000000000
		import 000000005100
		import 00007698df00
		delete 590000000000`,
	"a delete said nothing though an import of its grant had begun": `
		settings c8008c0000000000
		import 00000000c700
		import 32b21348af00
		time 000000000000
		read-with 000000000000
		delete 0000b4970000`,
	"a delete that was tried again said nothing of a grant of which an import was under way": `
		settings 0000000000000000
		import 00e900000200
		import 003fd6375c00
		read-at-once 000000000000
		self-code 000000000000
		delete 00003a1d0000`,
	"a delete that was tried again did not reach a former grant that another credential had had too": `
		settings 5300000000000000
		import 000000000000
		import 380000000000
		read-with 000000000000
		connect 000000000000
		connect 290000000000
		device 000000000000
		delete 0000b9510000`,
	"revoke said that tokens are handed out no more which it had not come to": `
		settings 4000005d00000000
		connect 000000000000
		connect 000000000000
		self-code 490000000000
		zoho-fails 040000000000
		import 00000000fb00
		read f80000000000
		connect 000000000000
		config 000000000000
		revoke 00fb00000000
		storage-moody 1a0000000f00
		time 000000002900
		read cb0000000000`,
	"revoke did not reach what a delete under way was revoking": `
		settings 000000a900000000
		client-credentials 000000000000
		zoho-fails ff000000a000
		read-with 000000000000
		delete 00b600000000
		self-code 000000000000
		revoke 000000000000`,
	"revoke did not reach a former grant that a delete under way had taken with it": `
		settings da28000000000000
		self-code 0000c900a400
		read-with 000000000000
		self-code 000047000000
		connect 000000000000
		zoho-fails db0000003d00
		import 310000006300
		delete 004700000000
		connect 000000000000
		revoke 000000000000`,
	"an error of Zoho that a probe met was taken for a person": `
		settings 5900000000005900
		client-credentials 001692000000
		connect e30000000000
		time 000000000000
		zoho-fails 3e000000f563
		probe c53fb3ed0000
		client-credentials 0000b5d10000`,
	"a sweep took a credential to a replaced refresh token before its mints were stored there": `
		settings 005e001200000000
		config 00000000d500
		import 000000000000
		read-with 000000000000
		revoke 000000000000
		read-with 0000d2eb00f0
		tick 000000000000
		read-with 0000000000b8`,
	"a sweep revoked a grant whose first token was on its way to the record": `
		settings ac0c00f700c87f00
		client-credentials e79da1490089
		self-code 2d0086e90000
		connect 390b133a00de
		add-scopes 8eda000000e3
		storage-moody 0300e60f2e00
		import 000000b90000
		time 000000000000
		read-at-once 00000000009f
		others-mint 7b00b3bc0019
		self-code 999200002d45
		tick 000000159ed8
		time 000000001100
		import 7a3e85310011
		time d5977900c626
		read-with 006600001d00`,
	"a delete said nothing though an import of a former grant, spelt anew, was under way": `
		settings 000000ea27000000
		zoho-fails 00000000ba00
		import 00ee00000000
		import-spelt 000000000000
		read-with 000000000000
		import 000000002f00
		delete 000000000000`,
	"a second delete said nothing of a grant that a dead process had been importing, spelt anew": `
		settings 000000006d000000
		import 00005b00d700
		read-with 000000000000
		import-spelt 00001e002000
		list 000000000000
		delete 000039ae0000`,
	"a former grant that another name had while a delete ran was taken for a leak": `
		settings 4400003b25000000
		self-code 8b0000000000
		zoho-fails 55000000d100
		read-with 5e0000000000
		client-credentials a60000000000
		import-spelt 020000002b00
		delete 73f600000000
		click aa0000000000`,
	"the right account was told of another's refusal while that one's code was exchanged": `
		settings 0000001b00000000
		zoho-fails 040000000c00
		click 003a00006300
		time 000000007e00
		stranger 000000000000`,
	"the right account was told of another's refusal while that one was being stored": `
		settings 0000000000000000
		click 00fab573fa4b
		time 000000008500
		browser 00000000000f`,
}

// onceFailedPlays is how often each is played: goroutines may interleave differently.
const onceFailedPlays = 6 / stride

func TestScriptsThatOnceFailed(t *testing.T) {
	for what, text := range scriptsThatOnceFailed {
		t.Run(what, func(t *testing.T) {
			s := parseSim(t, text)
			for range onceFailedPlays {
				if r := play(t, s); len(r.problems) > 0 {
					t.Fatalf("%s\n\n%s", strings.Join(r.log, "\n"), r.problems[0])
				}
			}
		})
	}
}
