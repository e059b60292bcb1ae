# Helpers for clients in Perl: the addresses of zoho-sim, the browser, and steps that print "ok" or "no".
package sim;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw($ACCOUNTS $AUTH $TOKEN $USER consent step);
our $ACCOUNTS = $ENV{ACCOUNTS};
our ($AUTH, $TOKEN, $USER) = ("$ACCOUNTS/oauth/v2/auth", "$ACCOUNTS/oauth/v2/token", "$ENV{API}/crm/v8/users?type=CurrentUser");

# consent is the code that the browser of a person who accepts lands with.
sub consent {
  open my $browser, '-|', 'consent', "$_[0]" or die $!;
  my $landed = <$browser> // die "no redirect\n";
  return $landed =~ /[?&]code=([^&\s]+)/ ? $1 : die $landed;
}

# step runs one flow. After a failure the next steps run all the same.
sub step {
  my ($name, $run) = @_;
  my $result = eval { $run->() };
  my $error = $@;
  $error =~ s/\s+/ /g;
  print $error ? 'no ' . substr("$name: $error", 0, 300) . "\n" : "ok $name\n";
  return $result;
}
1;
