# perl data-extents.pl PATH SIZE GAP: prints begin and end of each part of a file that has data, a line each; the rest are holes, which read as
# zeros. Parts at a distance below GAP are printed as one. A file shorter than SIZE is printed as one part: its reader reports that.
use strict;
use warnings;

my ($path, $size, $gap) = @ARGV;
my ($SEEK_DATA, $SEEK_HOLE, $ENXIO) = (3, 4, 6);
open(my $file, '<', $path) or die "$path: $!\n";
if (-s $file < $size) {
  print "0 $size\n";
  exit 0;
}
my ($begin, $end);
for (my $at = 0; $at < $size;) {
  my $data = sysseek($file, $at, $SEEK_DATA);
  last if !defined $data && $! == $ENXIO;    # nothing but a hole follows
  die "$path: $!\n" if !defined $data;
  last if $data >= $size;
  my $hole = sysseek($file, $data, $SEEK_HOLE);
  die "$path: $!\n" if !defined $hole;
  $hole = $size if $hole > $size;
  if (defined $end && $data - $end >= $gap) {
    print "$begin $end\n";
    undef $begin;
  }
  $begin //= $data + 0;
  $end = $at = $hole;
}
print "$begin $end\n" if defined $begin;
