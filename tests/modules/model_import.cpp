// Weights from elsewhere: names, what may be missing, what is refused.
#include "modules/model_import.hpp"

#include <cmath>
#include <limits>

#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

std::string recipe(const std::string& backbone, const std::string& head, const std::string& attention = "") {
  return "fovea: 1\nmodel:\n  backbone: " + backbone + "\n" + attention + "  head: " + head + "\n";
}
const std::string kTiny = "{type: resnet18, layers: [1, 1], widths: [8, 16]}", kHead = "{type: classify, classes: 3}";

// What PyTorch would have saved for this network: our values under torchvision's names.
TensorFile theirs(const std::string& recipe_text, std::uint64_t seed = 5) {
  TensorFile file;
  for (const auto& [name, value] : Model::from_recipe(recipe_text, seed).params()->values())
    file.tensors[name.substr(name.find('.') + 1)] = value;
  return file;
}

ImportReport imported(const std::string& text, const TensorFile& file, const ImportOptions& options = {}) {
  return import_model(text, "r.yaml", file, "f.safetensors", options).report;
}

double difference(const Tensor& a, const Tensor& b) {
  const auto x = a.values(), y = b.values();
  REQUIRE(x.size() == y.size());
  double worst = 0, size = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(x[i] - y[i])), size = std::max(size, std::abs(y[i]));
  return worst / size;
}

}  // namespace

TEST_CASE("import: torchvision's names are found, with and without a wrapper's prefix") {
  const TensorFile file = theirs(recipe(kTiny, kHead));
  const auto all = Model::from_recipe(recipe(kTiny, kHead)).params()->entries().size();
  for (const char* prefix : {"", "module.", "model."}) {
    TensorFile wrapped;
    for (const auto& [name, value] : file.tensors) wrapped.tensors[prefix + name] = value;
    const Imported result = import_model(recipe(kTiny, kHead), "r.yaml", wrapped, "f.safetensors");
    CHECK(result.report.loaded.size() == all);
    CHECK(result.report.unused.empty());
    CHECK(result.model.params()->find("backbone.conv1.weight")->value.value().values() ==
          file.tensors.at("conv1.weight").values());
    CHECK(result.model.params()->find("head.fc.bias")->value.value().values() == file.tensors.at("fc.bias").values());
  }
}

TEST_CASE("import: prefixes are known in any combination, and it is said which was taken off") {
  const TensorFile file = theirs(recipe(kTiny, kHead));
  for (const char* prefix :
       {"_orig_mod.", "ema.", "student.", "module._orig_mod.", "_orig_mod.module.", "state_dict.model.",
        "student.module.backbone.", "model.ema.module._orig_mod.", "params_ema.", "teacher.student.ema.model.net."}) {
    INFO(prefix);
    TensorFile wrapped;
    for (const auto& [name, value] : file.tensors) wrapped.tensors[prefix + name] = value;
    const ImportReport report = imported(recipe(kTiny, kHead), wrapped);
    CHECK(report.prefix == prefix);
    CHECK(report.unused.empty());
    CHECK(report.fresh_head.empty());
  }
  // compiled inside
  TensorFile inside;
  for (const auto& [name, value] : file.tensors)
    inside.tensors["module." + (name.rfind("layer1.", 0) == 0 ? "layer1._orig_mod." + name.substr(7) : name)] = value;
  CHECK(imported(recipe(kTiny, kHead), inside).unused.empty());
  // two networks in one file: one of them, and the other is left over
  TensorFile both;
  for (const auto& [name, value] : file.tensors) both.tensors["ema." + name] = both.tensors["optimizer.copy." + name] = value;
  CHECK(fails_with([&] { imported(recipe(kTiny, kHead), both); }, "the network has no place for optimizer.copy."));
  ImportOptions partial;
  partial.partial = true;
  CHECK(imported(recipe(kTiny, kHead), both, partial).prefix == "ema.");
}

TEST_CASE("import: BAM of several hidden layers, under its authors' names") {
  const std::string text =
      recipe(kTiny, kHead, "  attention: [{at: \"backbone.layer1.after_stage\", type: bam, reduction: 2, num_layers: 3}]\n");
  const Model model = Model::from_recipe(text, 5);
  const std::pair<std::string, std::string> names[] = {{"channel.fc1.", "channel_att.gate_c.gate_c_fc_0."},
                                                       {"channel.bn.", "channel_att.gate_c.gate_c_bn_1."},
                                                       {"channel.hidden.1.", "channel_att.gate_c.gate_c_fc_1."},
                                                       {"channel.hidden_bn.2.", "channel_att.gate_c.gate_c_bn_2."},
                                                       {"channel.hidden.2.", "channel_att.gate_c.gate_c_fc_2."},
                                                       {"channel.hidden_bn.3.", "channel_att.gate_c.gate_c_bn_3."},
                                                       {"channel.fc2.", "channel_att.gate_c.gate_c_fc_final."},
                                                       {"spatial.reduce.", "spatial_att.gate_s.gate_s_conv_reduce0."},
                                                       {"spatial.reduce_bn.", "spatial_att.gate_s.gate_s_bn_reduce0."},
                                                       {"spatial.dilated.", "spatial_att.gate_s.gate_s_conv_di_"},
                                                       {"spatial.dilated_bn.", "spatial_att.gate_s.gate_s_bn_di_"},
                                                       {"spatial.final.", "spatial_att.gate_s.gate_s_conv_final."}};
  const std::string slot = "backbone.layer1.after_stage.bam.";
  TensorFile file;
  std::size_t translated = 0;
  for (const auto& [name, value] : model.params()->values()) {
    std::string theirs = name.substr(name.find('.') + 1);
    if (name.rfind(slot, 0) == 0)
      for (const auto& [ours, authors] : names)
        if (name.rfind(slot + ours, 0) == 0) theirs = "bam1." + authors + name.substr(slot.size() + ours.size()), ++translated;
    file.tensors[theirs] = value;
  }
  CHECK(translated > 30);
  const Imported result = import_model(text, "r", file, "f");
  CHECK(result.report.in_slots.empty());
  CHECK(result.report.unused.empty());
  for (const auto& [name, value] : model.params()->values())
    CHECK(result.model.params()->find(name)->value.value().values() == value.values());
}

TEST_CASE("import: A2N-M, whose plain branch has a kernel of 1") {
  const std::string text =
      "fovea: 1\nmodel: {head: {type: a2n, scale: 2, width: 8, tail_width: 8, blocks: 2, plain_kernel: 1}}\n";
  const Model model = Model::from_recipe(text, 5);
  CHECK(model.params()->find("AAB_trunk.0.non_attention.weight")->value.shape() == Shape{8, 8, 1, 1});
  TensorFile file;
  for (const auto& [name, value] : model.params()->values()) file.tensors["module." + name] = value;
  CHECK(import_model(text, "r", file, "f").report.loaded.size() == file.tensors.size());
}

TEST_CASE("import: blocks in slots stay fresh and are listed; a head for other classes stays fresh, and it is said") {
  const TensorFile file = theirs(recipe(kTiny, kHead));
  const std::string rules = "  attention: [{at: \"**.pre_add\", type: pixel_attention, start: identity}]\n";
  const Imported result = import_model(recipe(kTiny, "{type: classify, classes: [cat, dog]}", rules), "r", file, "f");
  CHECK(result.report.in_slots.size() == 6);
  CHECK(result.report.fresh_head == std::vector<std::string>{"head.fc.weight", "head.fc.bias"});
  CHECK(result.head_note == " (the file has 3 classes, the recipe 2)");
  CHECK(result.report.missing.empty());
  CHECK(result.model.classes() == std::vector<std::string>{"cat", "dog"});
}

TEST_CASE("import: class names come from the file unless the recipe has its own") {
  TensorFile file = theirs(recipe(kTiny, kHead));
  file.metadata["classes"] = R"(["red: cell", "white, or [so]", "it's"])";
  file.metadata["licence"] = "CC0";
  const std::vector<std::string> names{"red: cell", "white, or [so]", "it's"};
  for (const char* head : {"{type: classify}", "{type: classify, classes: 3}"}) {
    const Imported result = import_model(recipe(kTiny, head), "r", file, "f");
    CHECK(result.model.classes() == names);
    CHECK(result.metadata == std::map<std::string, std::string>{{"licence", "CC0"}});
    const test::Folder folder;
    result.model.save(folder / "m.safetensors");
    CHECK(Model::load((folder / "m.safetensors").string()).classes() == names);
  }
  const auto own = import_model(recipe(kTiny, "{type: classify, classes: [a, b, c]}"), "r", file, "f");
  CHECK(own.model.classes() == std::vector<std::string>{"a", "b", "c"});
  for (const char* odd : {"{}", "[1, 2]", "[", "[\"one\"]"}) {
    file.metadata["classes"] = odd;
    CHECK(import_model(recipe(kTiny, kHead), "r", file, "f").model.classes() == std::vector<std::string>{"0", "1", "2"});
  }
}

TEST_CASE("import: what does not fit is refused by name, or reported when partial") {
  const std::string text = recipe(kTiny, kHead);
  const auto refused = [&](const TensorFile& file, const std::string& message) {
    return fails_with([&] { imported(text, file); }, message);
  };
  ImportOptions partial;
  partial.partial = true;
  TensorFile file = theirs(text);
  file.tensors.erase("layer1.0.bn1.weight");
  CHECK(refused(file, "f.safetensors: the file has no value for backbone.layer1.0.bn1.weight"));
  CHECK(imported(text, file, partial).missing == std::vector<std::string>{"backbone.layer1.0.bn1.weight"});

  file = theirs(text);
  file.tensors["aux.weight"] = Tensor::zeros({2});
  CHECK(refused(file, "the network has no place for aux.weight"));
  CHECK(imported(text, file, partial).unused == std::vector<std::string>{"aux.weight"});

  file = theirs(text);
  file.tensors["conv1.weight"] = Tensor::zeros({8, 3, 3, 3});
  CHECK(refused(file, "backbone.conv1.weight: expected 8x3x7x7, the file has 8x3x3x3"));
  CHECK(imported(text, file, partial).reshaped.size() == 1);

  file = theirs(text);
  file.tensors.erase("bn1.num_batches_tracked");
  CHECK(imported(text, file).missing.empty());
}

TEST_CASE("import: NaN and infinity are refused with the tensor's name") {
  const std::string text = recipe(kTiny, kHead);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    TensorFile file = theirs(text);
    Tensor value = file.tensors.at("layer2.0.conv1.weight").clone();
    value.data<float>()[3] = static_cast<float>(bad);
    file.tensors["layer2.0.conv1.weight"] = value;
    CHECK(fails_with([&] { imported(text, file); }, "layer2.0.conv1.weight: 1 of 1152 values are NaN or infinite"));
    const test::Folder folder;
    Model model = Model::from_recipe(text);
    model.params()->load({{"backbone.layer2.0.conv1.weight", value}}, false);
    model.save(folder / "m.safetensors");
    CHECK(fails_with([&] { Model::load((folder / "m.safetensors").string()); }, "backbone.layer2.0.conv1.weight: 1 of 1152"));
  }
}

TEST_CASE("import: a file of another network is refused, with what it looks like") {
  const TensorFile resnet = theirs(recipe(kTiny, kHead));
  const std::string mobilenet = recipe("{type: mobilenet_v2, width: 0.1}", kHead);
  CHECK(fails_with([&] { imported(mobilenet, resnet); }, "these are not weights of mobilenet_v2"));
  CHECK(fails_with([&] { imported(mobilenet, resnet); }, "it looks like torchvision and timm's resnet"));
  CHECK(fails_with([&] { imported(recipe(kTiny, kHead), theirs(mobilenet)); }, "these are not weights of resnet18"));
  CHECK(fails_with([&] { imported(mobilenet, TensorFile{}); }, "holds no tensors"));
}

TEST_CASE("import: own rules come first") {
  const TensorFile file = theirs(recipe(kTiny, kHead));
  TensorFile odd;
  for (const auto& [name, value] : file.tensors)
    odd.tensors[name.rfind("layer", 0) == 0 ? "trunk/" + name.substr(5) : "rest/" + name] = value;
  ImportOptions options;
  options.own = read_name_rules(R"([{from: "trunk/**", to: "backbone.layer$1"}, {from: "rest/fc.*", to: "head.fc.$1"},
                                    {from: "rest/**", to: "backbone.$1"}])",
                                "names.yaml");
  const ImportReport report = imported(recipe(kTiny, kHead), odd, options);
  CHECK(report.unused.empty());
  CHECK(report.missing.empty());
}

TEST_CASE("import: hostile name maps and files end with a message") {
  const auto refused = [](const std::string& yaml, const std::string& message) {
    INFO(yaml);
    return fails_with([&] { read_name_rules(yaml, "names.yaml"); }, message);
  };
  CHECK(refused("", "expected a list"));
  CHECK(refused("a: b", "expected a list"));
  CHECK(refused("- {from: a}", "names.yaml:1: expected a key 'to'"));
  CHECK(refused("- {from: a, to: b, too: c}", "names.yaml:1: unknown key 'too'"));
  CHECK(refused("- {from: [a], to: b}", "expected one value"));
  CHECK(refused("- {from: '', to: b}", "a pattern of 1 to"));
  CHECK(refused("- {from: '**.**.**.**.**.**.**.**.**.**', to: b}", "at most 9 stars"));
  CHECK(refused("- {from: '*', to: '$2'}", "'$' must be followed by 1 to 1"));
  CHECK(refused("- {from: '*', to: 'x$'}", "'$' must be followed"));
  CHECK(refused("- {from: '" + std::string(600, 'a') + "', to: b}", "a pattern of 1 to"));
  CHECK(refused("[[[[", "names.yaml"));
  // Many stars against a long name that does not match: polynomial, not exponential.
  CHECK_FALSE(renamed({{"**a**a**a**a**a**a**a**ab", "x"}}, std::string(500, 'a')));
  CHECK(renamed({{"a.*.c.**", "$2-$1"}}, "a.b.c.d.e") == std::optional<std::string>("d.e-b"));
  CHECK_FALSE(renamed({{"a.*", "x"}}, "a.b.c"));

  ImportOptions all_to_one;
  all_to_one.own = {{"**", "backbone.conv1.weight"}};
  const std::string text = recipe(kTiny, kHead);
  CHECK(fails_with([&] { imported(text, theirs(text), all_to_one); }, "would become backbone.conv1.weight"));

  const test::Folder folder;
  write_safetensors(folder / "f.safetensors", theirs(text));
  const auto bytes = read_file(folder / "f.safetensors");
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    write_file_atomically(folder / "cut.safetensors", bytes.data(), size);
    CHECK_THROWS_AS(read_safetensors(folder / "cut.safetensors"), Error);
  }
}

TEST_CASE("import: MobileNetV2 trained on ImageNet gives PyTorch's feature maps and logits") {
  FOVEA_NEEDS_SHARED(weights, "pretrained/mobilenet_v2.safetensors");
  FOVEA_NEEDS_SHARED(golden_file, "pretrained/mobilenet_v2_golden.safetensors");
  const TensorFile file = read_safetensors(weights), golden = read_safetensors(golden_file);
  for (const std::string padding : {"same", "symmetric"}) {
    const Imported result =
        import_model(recipe("{type: mobilenet_v2, padding: " + padding + "}", "{type: classify}"), "r", file, "f");
    CHECK(result.report.missing.empty());
    CHECK(result.report.unused.empty());
    CHECK(result.model.classes().size() == 1000);
    CHECK(result.model.classes()[1] == "goldfish, Carassius auratus");
    const Tensor x = golden.tensors.at("input").contiguous(Layout::channels_last);
    const auto run = result.model.run(x, {.keep = "backbone.features.18"});
    REQUIRE(run.taps.size() == 1);
    CHECK(run.taps[0].value.dim(1) == 1280);
    CHECK(difference(run.taps[0].value, golden.tensors.at(padding + "/features")) < 2e-5);
    CHECK(difference(run.output, golden.tensors.at(padding + "/logits")) < 2e-5);
  }
}
