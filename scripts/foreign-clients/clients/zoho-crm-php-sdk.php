<?php // git: zoho/zohocrm-php-sdk-8.0@5.0.0
// deb: php8.2-cli php8.2-curl php8.2-mbstring
require 'sim.php';
autoload('', getenv('GIT') . '/zoho/zohocrm-php-sdk-8.0/src');

use com\zoho\api\authenticator\OAuthBuilder;
use com\zoho\api\authenticator\store\FileStore;
use com\zoho\crm\api\InitializeBuilder;
use com\zoho\crm\api\dc\DataCenter;
use com\zoho\crm\api\org\OrgOperations;

$url = "$auth?" . http_build_query(['client_id' => $id, 'redirect_uri' => $redirect, 'response_type' => 'code', 'scope' => 'ZohoCRM.users.READ,ZohoCRM.org.READ'] + $offline);
$grant = (new OAuthBuilder())->clientId($id)->clientSecret($secret)->redirectURL($redirect)->grantToken(consent($url))->build();
$store = new FileStore(getenv('HOME') . '/zoho-php-sdk.csv');
$read = fn () => must(($answer = (new OrgOperations())->getOrganization()) != null && $answer->getStatusCode() == 200, 'API: ' . ($answer ? $answer->getStatusCode() : 'no answer'));
step('code and API', function () use ($api, $token, $grant, $store, $read) {
    (new InitializeBuilder())->environment(DataCenter::setEnvironment($api, $token, $api))->token($grant)->store($store)->resourcePath(getenv('HOME'))->initialize();
    $read();
});
step('refresh', fn () => $grant->refreshAccessToken($grant, $token));
step('API after refresh', $read);
step('revocation by id', fn () => must($grant->revoke($grant->getId()) === true, 'it returned no success'));
step('revocation by token', fn () => must($grant->revokeRefreshToken($grant->getRefreshToken(), "$token/revoke") === true, 'it returned no success'));
