#!/usr/bin/env bash
# Fails on an #include that points up or sideways: each room may use itself and the rooms named here, nothing else.
# usage: includes.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"

below_nn="modules/core modules/autograd modules/ops"
declare -A allowed=(
  [modules/core]=""
  [modules/autograd]="modules/core"
  [modules/ops]="modules/core modules/autograd"
  [modules/nn]="$below_nn"
  [modules/plan]="$below_nn"
  [modules/attention]="$below_nn modules/nn"
  [modules/backbones]="$below_nn modules/nn"
  [modules/necks]="$below_nn modules/nn"
  [modules/heads]="$below_nn modules/nn"
  [modules/io]="$below_nn modules/nn"
  [modules/preprocess]="modules/core modules/io"
  [modules/train]="$below_nn modules/nn modules/io modules/model"  # the trainer drives whole models: it stands above the face
  [modules/explain]="$below_nn modules/nn modules/plan"
  [modules/model]="$below_nn modules/nn modules/plan modules/attention modules/backbones modules/necks modules/heads
                   modules/io modules/explain modules/preprocess"
  # Outside modules/, tensors, taps and files are shared ground; networks are reached through train/ or the face, model.hpp.
  [datasets]="modules/core modules/autograd modules/io modules/train modules/preprocess"
  [pipeline]="modules/core modules/autograd modules/nn modules/io modules/train modules/explain modules/model modules/preprocess
              datasets"
  [pipeline/tasks]="$below_nn modules/nn modules/heads modules/io modules/train modules/explain modules/model modules/preprocess datasets
                    pipeline"
)

# modules/core/tensor.hpp -> modules/core; modules/model.hpp, modules/network.hpp -> modules/model; datasets/image.hpp -> datasets
room_of() {
  case $1 in
    modules/*/*) room=${1#modules/} room=modules/${room%%/*} ;;
    pipeline/tasks/*) room=pipeline/tasks ;;
    modules/preprocess.*) room=modules/preprocess ;;  # a description that readers of pictures share with the face
    modules/*) room=modules/model ;;  # the face: files right under modules/
    *) room=${1%%/*} ;;
  esac
}

bad=0
complain() { echo "$1:$2: includes $3: $4"; bad=1; }

check_include() {  # file, line number, quoted or angled name
  local file=$1 line=$2 name=$3 target
  room_of "$file"
  local from=$room
  case $name in
    \<opencv2/*)
      [[ $from != modules/* ]] || complain "$file" "$line" "$name" "modules/ knows no OpenCV" ;;
    \<dnnl* | \<oneapi/dnnl/*)
      [[ $file == modules/core/dnnl* || $from == tests || $from == apps ]] ||
        complain "$file" "$line" "$name" "only modules/core/dnnl.* knows oneDNN" ;;
    \"*)
      target=${name//\"/}
      room_of "$target"
      if [[ $target != */* || $target == ./* || $target == ../* ]]; then
        complain "$file" "$line" "$name" "write the path from the project's root"
      elif [[ $from == apps || $from == tests || $room == "$from" ]]; then
        :
      elif [[ ! -v "allowed[$from]" ]]; then
        complain "$file" "$line" "$name" "$from is no known room"
      elif [[ " ${allowed[$from]//$'\n'/ } " != *" $room "* ]]; then
        complain "$file" "$line" "$name" "$from may not use $room"
      fi ;;
  esac
}

count=0
while IFS=: read -r file line text; do
  [[ $text =~ include[[:space:]]*([\"\<][^\"\>]*[\"\>]) ]] || continue
  check_include "$file" "$line" "${BASH_REMATCH[1]}"
  count=$((count + 1))
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.cpp' --include='*.hpp' modules datasets pipeline apps tests \
  --exclude-dir=consumer 2>/dev/null)
[[ $count -gt 0 ]] || { echo "no includes found under $1"; exit 1; }
echo "$count includes"
exit "$bad"
