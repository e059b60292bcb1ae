<?php // git: thephpleague/oauth2-client@2.9.0
// deb: php8.2-cli php8.2-curl php8.2-mbstring php-guzzlehttp-guzzle=7.4.5-1
require 'sim.php';
require 'GuzzleHttp/autoload.php';
autoload('League\\OAuth2\\Client\\', getenv('GIT') . '/thephpleague/oauth2-client/src');

$client = new League\OAuth2\Client\Provider\GenericProvider(['clientId' => $id, 'clientSecret' => $secret, 'redirectUri' => $redirect, 'urlAuthorize' => $auth, 'urlAccessToken' => $token,
    'urlResourceOwnerDetails' => "$accounts/oauth/user/info", 'responseResourceOwnerId' => 'ZUID', 'scopes' => ['AaaServer.profile.READ', 'ZohoCRM.users.READ'], 'pkceMethod' => 'S256'],
    ['httpClient' => new GuzzleHttp\Client(['verify' => getenv('CA')])]);
$tokens = step('code with PKCE', fn () => $client->getAccessToken('authorization_code', ['code' => consent($client->getAuthorizationUrl($offline))]));
step('profile', fn () => must($client->getResourceOwner($tokens)->getId() != '', 'no id'));
step('API', fn () => $client->getParsedResponse($client->getAuthenticatedRequest('GET', $user, $tokens)));
$fresh = step('refresh', fn () => $client->getAccessToken('refresh_token', ['refresh_token' => $tokens->getRefreshToken()]));
step('API after refresh', fn () => $client->getParsedResponse($client->getAuthenticatedRequest('GET', $user, $fresh)));
