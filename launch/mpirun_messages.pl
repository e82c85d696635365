#!/usr/bin/env perl
# Copies what a job says, byte by byte as it comes, but for what mpirun adds between two lines of dashes when a rank has
# ended otherwise than with 0: the program has told why, and the exit code is kept. What else mpirun says stays: that a
# signal ended a rank, that there are too few slots, that a program cannot be started.
# Usage: mpirun ... 2>&1 | launch/mpirun_messages.pl
use strict;
use warnings;

my $rule = '-' x 74 . "\n";
my @beginnings = (
  'Primary job  terminated normally, but ',
  'mpirun detected that one or more processes exited with non-zero status',
  'mpirun has exited due to ',
  'MPI_ABORT was invoked on rank ',
);
my $most = 4096;    # bytes of such a block
my $waiting = '';
$SIG{PIPE} = 'IGNORE';    # who reads may be gone; mpirun must not be held up by that

sub put {
  my ($bytes) = @_;
  while (length $bytes) {
    my $written = syswrite STDOUT, $bytes;
    if (!defined $written) {
      next if $!{EINTR};
      return;
    }
    substr $bytes, 0, $written, '';
  }
}

# Hands on what waits, as far as it cannot be the beginning of such a block; at the end all of it.
sub hand_on {
  my ($end) = @_;
  while (1) {
    my $at = index $waiting, $rule;
    if ($at < 0) {
      my ($dashes) = $waiting =~ /(-{0,74})\z/;
      my $kept = $end ? 0 : length $dashes;
      put(substr $waiting, 0, length($waiting) - $kept, '');
      return;
    }
    put(substr $waiting, 0, $at, '');
    my $rest = substr $waiting, length $rule;
    my $closing = index $rest, $rule;
    if (grep { index($rest, $_) == 0 } @beginnings) {
      if ($closing >= 0) {
        $waiting = substr $rest, $closing + length $rule;
        next;
      }
      return if !$end && length $rest < $most;
    } elsif (!$end && grep { index($_, $rest) == 0 } @beginnings) {
      return;
    }
    put(substr $waiting, 0, length $rule, '');
  }
}

while (1) {
  my $got = sysread STDIN, $waiting, 65536, length $waiting;
  if (!defined $got) {
    next if $!{EINTR};
    last;
  }
  last if $got == 0;
  hand_on(0);
}
hand_on(1);
