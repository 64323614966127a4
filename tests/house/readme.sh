#!/usr/bin/env bash
# Compiles every ```cpp block of the README as a file of its own: documentation that does not compile is worse than none.
# usage: readme.sh README.md COMPILER FLAGS...
set -euo pipefail
readme=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

awk -v folder="$folder" '
  /^```/ && inside { inside = 0; close(file); next }
  /^```cpp/ { inside = 1; file = sprintf("%s/block%02d_line%d.cpp", folder, ++n, NR); next }
  inside { print > file }
' "$readme"

failed=0 count=0
for block in "$folder"/*.cpp; do
  [[ -e $block ]] || { echo "no cpp blocks in $readme"; exit 1; }
  count=$((count + 1))
  "$@" -fsyntax-only "$block" || failed=$((failed + 1))
done
echo "$count blocks, $failed do not compile"
[[ $failed == 0 ]]
