#!/usr/bin/env bash
# Fails where something outside a task's own folder names the task: by a quoted name, by its classes or by its files. A head says which task
# its outputs are for, a zoo and recipes are data: they may. Tests and examples may, too. A key of a file that datasets/ reads may be called
# as a task is: `.at("caption")`.
# usage: tasks.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"

tasks=()
for folder in pipeline/tasks/*/; do
  [[ -d $folder ]] && tasks+=("$(basename "$folder")")
done
[[ ${#tasks[@]} -gt 0 ]] || { echo "pipeline/tasks: there are no tasks"; exit 1; }

# Comments are free to give an example: they are left out, and every line carries its file's name, so that one search a task reads all.
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
find modules datasets pipeline apps -type f \( -name '*.cpp' -o -name '*.hpp' -o -name CMakeLists.txt \) 2>/dev/null |
  grep -vE '^(modules/heads|apps/examples)/' | sort |
  xargs -r awk '{ sub(/\/\/.*$/, ""); print FILENAME ":" FNR ":" $0 }' >"$lines"

bad=0
for task in "${tasks[@]}"; do
  camel=${task^}
  if found=$(grep -vE "^(pipeline/tasks/$task/|datasets/[^:]*:[0-9]+:.*\.(at|has)\(\"$task\"\))" "$lines" |
               grep -E "^[^:]*:[0-9]+:.*(\"$task\"|pipeline/tasks/$task/|\b$camel([A-Z][A-Za-z]*)?\b|\b${task}_(task|operation|training|evaluator)\b)"); then
    echo "named outside pipeline/tasks/$task/:"
    echo "$found" | sed 's/^/  /'
    bad=1
  fi
done
exit "$bad"
