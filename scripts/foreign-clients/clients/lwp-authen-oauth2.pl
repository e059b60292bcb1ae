# deb: liblwp-authen-oauth2-perl=0.20-1 liblwp-protocol-https-perl=6.10-1
use strict;
use warnings;
use LWP::Authen::OAuth2;
use sim;

my $client = LWP::Authen::OAuth2->new(client_id => $ENV{CLIENT_ID}, client_secret => $ENV{CLIENT_SECRET}, redirect_uri => $ENV{REDIRECT}, authorization_endpoint => $AUTH, token_endpoint => $TOKEN, scope => 'ZohoCRM.users.READ', is_strict => 0);
my $url = $client->authorization_url() . '&access_type=offline&prompt=consent';
step('code', sub { $client->request_tokens(code => consent($url)) });
step('API', sub { my $r = $client->get($USER); $r->is_success or die $r->status_line });
step('refresh', sub { $client->{access_token}{expires_time} = 0; my $r = $client->get($USER); $r->is_success or die $r->status_line });
