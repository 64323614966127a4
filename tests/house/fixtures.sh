#!/usr/bin/env bash
# The house rules must be able to fail: each one gets a small tree that breaks it, and a clean tree must pass.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

clean_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/modules/{core,autograd,ops,nn,attention,backbones,heads} "$tree"/{datasets,pipeline/tasks/{one,two},apps,tests}
  echo '#include "modules/core/tensor.hpp"' >"$tree/modules/nn/linear.cpp"
  echo '#include <opencv2/core.hpp>' >"$tree/pipeline/read.cpp"
}

expect() {  # pass or fail, script, description
  local got=pass output
  output=$("$here/$2" "$tree" 2>&1) || got=fail
  [[ $got == "$1" ]] || { echo "$2: $3: expected $1, got $got: $output"; failed=1; }
}

refuse_include() {  # file, include
  clean_tree
  echo "#include $2" >>"$tree/$1"
  expect fail includes.sh "$1 includes $2"
}

clean_tree
expect pass includes.sh "a clean tree"
expect pass tree.sh "a clean tree"
rm -rf "${tree:?}"/*
expect fail includes.sh "no sources at all"

refuse_include modules/core/tensor.cpp '"modules/autograd/var.hpp"'
refuse_include modules/ops/relu.cpp '"modules/nn/scope.hpp"'
refuse_include modules/backbones/resnet.cpp '"modules/attention/channel/se.hpp"'
refuse_include modules/heads/upscale.cpp '"modules/attention/channel/se.hpp"'
refuse_include modules/heads/upscale.cpp '"modules/backbones/resnet.hpp"'
refuse_include modules/nn/linear.cpp '"modules/model.hpp"'
refuse_include modules/model.cpp '"modules/train/trainer.hpp"'
refuse_include modules/nn/linear.cpp '"datasets/image.hpp"'
refuse_include modules/nn/linear.cpp '<opencv2/core.hpp>'
refuse_include modules/ops/conv2d.cpp '<dnnl.hpp>'
refuse_include modules/ops/conv2d.cpp '"relu.hpp"'
refuse_include datasets/image.cpp '"pipeline/frame.hpp"'
refuse_include datasets/image.cpp '"modules/model.hpp"'
refuse_include pipeline/frame.cpp '"modules/attention/channel/se.hpp"'
refuse_include pipeline/frame.cpp '"modules/ops/relu.hpp"'
refuse_include pipeline/frame.cpp '"pipeline/tasks/one/stages.hpp"'
refuse_include pipeline/frame.cpp '"apps/fovea/upscale.hpp"'
refuse_include pipeline/frame.cpp '"tests/support/catch.hpp"'

clean_tree
echo x >"$tree/notes.txt"
expect fail tree.sh "a stray file at the top"
clean_tree
yes '// line' | head -n 401 >"$tree/modules/nn/long.cpp" || true
expect fail tree.sh "a file of 401 lines"
clean_tree
echo 'using namespace std;' >"$tree/modules/nn/bad.hpp"
expect fail tree.sh "using namespace in a header"

clean_tree
expect pass conversions.sh "a clean tree"
echo 'auto n = static_cast<std::int64_t>(std::floor(width));' >"$tree/modules/nn/width.cpp"
expect fail conversions.sh "a bare cast of a floating number"

name_task() {  # file, line
  clean_tree
  echo "$2" >>"$tree/$1"
  expect fail tasks.sh "$1 says $2"
}
clean_tree
echo 'const char* name() { return "one"; }' >"$tree/pipeline/tasks/one/task.cpp"
echo 'HeadInfo info{"one"};  // "two" is another' >"$tree/modules/heads/one.cpp"
echo '// "one", for example' >"$tree/apps/main.cpp"
echo 'read(json.at("one"));' >"$tree/datasets/coco.cpp"
expect pass tasks.sh "a task that names itself, a head that says its task, a key of a file, a comment"
name_task apps/main.cpp 'if (task == "one") run();'
name_task pipeline/frame.cpp 'void f(OneStage& s);'
name_task pipeline/tasks/two/task.cpp '#include "pipeline/tasks/one/stages.hpp"'
name_task datasets/image.cpp 'auto o = one_operation();'
name_task apps/main.cpp 'run(tasks.at("one"));'

exit "$failed"
