# shellcheck shell=sh disable=SC2154
# sha256.sh: the row of sums by native threads, beside two processes; read by run.
#
# 64 files of 8 MB, in the system's cache. Both sides may run on all CPUs.

sha256_row() {
  present greenlua lua || return
  folder=$(mktemp -d "$OUT/sha256.XXXXXX")
  "$GREENLUA" bench/sha256.lua make "$folder" 64 8
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2046
    for s in $(turned "$r" floor greenlua); do
      case $s in
      floor) act=processes ;;
      greenlua) act=threads ;;
      esac
      if fields=$(timeout -k 3 120 "$GREENLUA" bench/sha256.lua "$act" "$folder"); then
        sample sha256 "$s" "$r" "$fields"
      else
        say "sha256 $r $s: failed"
      fi
    done
  done
  rm -rf "$folder"
}
