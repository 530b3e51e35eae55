package Rapidbyte::Harness;

# prove's harness with one more line at its end: "N passed, N failed", counting assertions. A program
# that ended badly without a failed assertion (a crash, a wrong plan) counts as one failure; skipped
# assertions count as neither. A run in which nothing passed fails.

use strict;
use warnings;
use parent 'TAP::Harness';

sub summary {
    my ( $self, $aggregate ) = @_;
    $self->SUPER::summary($aggregate);
    my $skipped = scalar $aggregate->skipped;
    my $passed  = scalar( $aggregate->passed ) - $skipped;
    my $failed  = scalar $aggregate->failed;
    for my $parser ( $aggregate->parsers ) {
        next if scalar $parser->failed;
        $failed++ if $parser->exit || $parser->wait || scalar $parser->parse_errors;
    }
    $| = 1;
    print "$passed passed, $failed failed\n";
    exit 1 if $passed < 1;
    return;
}

1;
