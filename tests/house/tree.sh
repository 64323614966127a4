#!/usr/bin/env bash
# Keeps the tree as it was laid out: what may lie at the top, how long a file may be, no `using namespace` in headers.
# usage: tree.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"

bad=0
complain() { echo "$*"; bad=1; }

# In a clone, what is tracked counts: notes and builds of whoever works there are their own business.
files() { git ls-files 2>/dev/null || find . -type f -not -path './build/*' -not -path './.git/*' | sed 's#^\./##'; }

top="modules datasets pipeline apps tests CMakeLists.txt CMakePresets.json README.md LICENSE dev
  .ci .clang-format .clang-tidy .editorconfig .gitattributes .gitignore"
while read -r entry; do
  [[ " ${top//$'\n'/ } " == *" $entry "* ]] || complain "$entry: does not belong at the top"
done < <(files | cut -d/ -f1 | sort -u)

while read -r file; do
  [[ -f $file ]] || continue  # tracked, but deleted in this working tree
  lines=$(wc -l <"$file")
  [[ $lines -le 400 ]] || complain "$file: $lines lines, 400 at most"
done < <(files | grep -E '(\.(cpp|hpp|sh|py|cmake)|CMakeLists\.txt|^dev)$')

while read -r found; do
  complain "$found: no \`using namespace\` in headers"
done < <(files | grep -E '\.hpp$' | xargs -r grep -nE '^[[:space:]]*using[[:space:]]+namespace' /dev/null | cut -d: -f1,2)

exit "$bad"
