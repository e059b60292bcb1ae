# deb: libnet-oauth2-perl=0.67-1 liblwp-protocol-https-perl=6.10-1
use strict;
use warnings;
use Net::OAuth2::Profile::WebServer;
use sim;

my $client = Net::OAuth2::Profile::WebServer->new(client_id => $ENV{CLIENT_ID}, client_secret => $ENV{CLIENT_SECRET}, redirect_uri => $ENV{REDIRECT}, site => $ACCOUNTS,
  authorize_path => '/oauth/v2/auth', access_token_path => '/oauth/v2/token', refresh_token_path => '/oauth/v2/token', scope => 'ZohoCRM.users.READ');
my $token = step('code', sub { $client->get_access_token(consent($client->authorize(access_type => 'offline', prompt => 'consent'))) });
step('API', sub { my $r = $token->get($USER); $r->is_success or die $r->status_line });
step('refresh', sub { $token->refresh or die 'no token' });
step('API after refresh', sub { my $r = $token->get($USER); $r->is_success or die $r->status_line });
