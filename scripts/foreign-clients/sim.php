<?php
// Helpers for clients in PHP: the addresses of zoho-sim, the browser, and steps that print "ok" or "no".

[$id, $secret, $redirect, $accounts, $api] = array_map('getenv', ['CLIENT_ID', 'CLIENT_SECRET', 'REDIRECT', 'ACCOUNTS', 'API']);
$auth = "$accounts/oauth/v2/auth";
$token = "$accounts/oauth/v2/token";
$user = "$api/crm/v8/users?type=CurrentUser";
$offline = ['access_type' => 'offline', 'prompt' => 'consent'];

// consent is the code that the browser of a person who accepts lands with.
function consent(string $url): string
{
    $landed = exec('LD_LIBRARY_PATH= consent ' . escapeshellarg($url));
    parse_str((string) parse_url(trim($landed), PHP_URL_QUERY), $query);
    return $query['code'];
}

// step runs one flow. After a failure the next steps run all the same.
function step(string $name, callable $run)
{
    try {
        $result = $run();
        echo "ok $name\n";
        return $result;
    } catch (Throwable $e) {
        echo substr(preg_replace('/\s+/', ' ', "no $name: " . get_class($e) . ' ' . $e->getMessage()), 0, 300), "\n";
    }
}

function must(bool $yes, string $what): void
{
    if (!$yes) {
        throw new Exception($what);
    }
}

// autoload finds the classes of a cloned repository.
function autoload(string $prefix, string $folder): void
{
    spl_autoload_register(function ($class) use ($prefix, $folder) {
        $file = $folder . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
        }
    });
}
