#!/usr/bin/perl
# Writes blocks to a device or file that exists. Standard input: of each block its offset (8 bytes) and length (4 bytes), big-endian, then
# its data. What was written is durable once the process has ended with success.
use strict;
use warnings;
use Fcntl qw(O_WRONLY SEEK_SET);
use IO::Handle;

my ($path) = @ARGV;
sysopen my $storage, $path, O_WRONLY or die "open: $!\n";
binmode STDIN;

# Returns nothing at the end of the input.
sub input {
    my ($length) = @_;
    my $data = '';
    while (length $data < $length) {
        my $count = sysread STDIN, $data, $length - length $data, length $data;
        die "read: $!\n" unless defined $count;
        next if $count;
        return if $data eq '';
        die "the input ended within a block\n";
    }
    return $data;
}

while (defined(my $header = input(12))) {
    my ($offset, $length) = unpack 'Q>N', $header;
    my $data = input($length);
    die "the input ended within a block\n" unless defined $data;
    sysseek $storage, $offset, SEEK_SET or die "seek: $!\n";
    my $done = 0;
    while ($done < $length) {
        my $count = syswrite $storage, $data, $length - $done, $done;
        die "write: $!\n" unless defined $count;
        $done += $count;
    }
}
$storage->sync or die "sync: $!\n";
