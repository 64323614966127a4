// PyTorch's files: tensors alone, no code, and nothing of a damaged one but an error.
#include "modules/io/torch_file.hpp"

#include "modules/core/memory.hpp"
#include "modules/core/random.hpp"
#include "modules/io/files.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/torch_bytes.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

const std::vector<float> kValues{0, 1, 2, 3, 4, 5};

// {"a.weight": 2 x 3, "a.bias": its second row, "epoch": 7, "names": ["x"]}, both tensors on one storage.
std::string two_tensors(bool old = false) {
  const std::string storage = pickled_storage("FloatStorage", "0", 6, old);
  return whole_pickle(pickled_dict(pickled("a.weight") + pickled_tensor(storage, 0, {2, 3}, {3, 1}) + pickled("a.bias") +
                                   pickled_tensor(storage, 3, {3}, {1}) + pickled("epoch") + pickled(7) + pickled("names") +
                                   "](" + pickled("x") + "e"));
}
FileBytes archive() { return torch_archive(two_tensors(), {{"0", floats(kValues)}}); }
FileBytes stream() { return torch_stream(two_tensors(true), {{"0", floats(kValues)}}); }

std::string refusal(const FileBytes& bytes) {
  return message_of([&] { parse_torch(bytes, "f.pt"); });
}
FileBytes of_object(const std::string& object, const std::string& data = floats(kValues)) {
  return torch_archive(whole_pickle(object), {{"0", data}});
}
FileBytes of_tensor(const std::string& tensor, const std::string& data = floats(kValues)) {
  return of_object(pickled_dict(pickled("t") + tensor), data);
}

}  // namespace

TEST_CASE("torch file: the archive and the older stream hold the same tensors") {
  for (const FileBytes& bytes : {archive(), stream()}) {
    REQUIRE(is_torch_file(bytes));
    const TensorFile file = parse_torch(bytes, "f.pt");
    REQUIRE(file.tensors.size() == 2);
    CHECK(file.tensors.at("a.weight").shape() == Shape{2, 3});
    CHECK(file.tensors.at("a.weight").values() == std::vector<double>{0, 1, 2, 3, 4, 5});
    CHECK(file.tensors.at("a.bias").values() == std::vector<double>{3, 4, 5});
  }
}

TEST_CASE("torch file: nested dictionaries join their names, parameters and strides are followed") {
  const std::string storage = pickled_storage("FloatStorage", "0", 6);
  const std::string transposed = pickled_tensor(storage, 0, {3, 2}, {1, 3});
  const std::string parameter = global("torch._utils", "_rebuild_parameter") + "(" + transposed + "\x88" + ordered_dict() + "tR";
  const std::string inner =
      ordered_dict() + "(" + pickled("w") + parameter + "u}(" + pickled("_metadata") + ordered_dict() + "ub";
  const TensorFile file = parse_torch(of_object(pickled_dict(pickled("state_dict") + inner)), "f.pt");
  REQUIRE(file.tensors.size() == 1);
  CHECK(file.tensors.at("state_dict.w").shape() == Shape{3, 2});
  CHECK(file.tensors.at("state_dict.w").values() == std::vector<double>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("torch file: every type of storage that a tensor can have is read") {
  struct Case {
    const char* type;
    DType dtype;
    std::string data;
    std::vector<double> values;
  };
  const std::vector<Case> cases{{"FloatStorage", DType::f32, little(0x3fc00000, 4) + little(0xbf800000, 4), {1.5, -1}},
                                {"DoubleStorage", DType::f64, little(0x3ff8000000000000, 8) + little(0, 8), {1.5, 0}},
                                {"HalfStorage", DType::f16, little(0x3e00, 2) + little(0xbc00, 2), {1.5, -1}},
                                {"BFloat16Storage", DType::bf16, little(0x3fc0, 2) + little(0xbf80, 2), {1.5, -1}},
                                {"LongStorage", DType::s64, little(7, 8) + little(UINT64_MAX, 8), {7, -1}},
                                {"IntStorage", DType::s32, little(7, 4) + little(UINT32_MAX, 4), {7, -1}},
                                {"ShortStorage", DType::s32, little(7, 2) + little(0xffff, 2), {7, -1}},
                                {"CharStorage", DType::s8, little(7, 1) + little(0xff, 1), {7, -1}},
                                {"ByteStorage", DType::u8, little(7, 1) + little(0xff, 1), {7, 255}},
                                {"BoolStorage", DType::boolean, little(1, 1) + little(0, 1), {1, 0}}};
  for (const Case& c : cases) {
    INFO(c.type);
    const std::string pickle =
        whole_pickle(pickled_dict(pickled("t") + pickled_tensor(pickled_storage(c.type, "0", 2, true), 0, {2}, {1})));
    for (const FileBytes& bytes :
         {torch_archive(pickle, {{"0", c.data}}), torch_stream(pickle, {{"0", c.data}}, c.data.size() / 2)}) {
      const Tensor t = parse_torch(bytes, "f.pt").tensors.at("t");
      CHECK(t.dtype() == c.dtype);
      CHECK(t.values() == c.values);
    }
  }
}

TEST_CASE("torch file: nothing is run, and what would be is named") {
  const std::string call = global("posix", "system") + "(" + pickled("touch /tmp/never") + "tR";
  CHECK(refusal(of_object(pickled_dict(pickled("t") + call)))
            .find("f.pt: it holds a posix.system, which only its own code can make") == 0);
  CHECK(refusal(of_object(call)).find("posix.system") != std::string::npos);
  CHECK(refusal(of_object(global("builtins", "eval") + pickled("1") + "\x85R")).find("builtins.eval") != std::string::npos);
  // protocol 4 names by the stack
  CHECK(refusal(of_object(pickled("os") + pickled("system") + "\x93" + pickled("x") + "\x85R")).find("os.system") !=
        std::string::npos);
  // a whole module
  CHECK(refusal(of_object(global("torchvision.models.resnet", "ResNet") + ")\x81"))
            .find("it holds a torchvision.models.resnet.ResNet,") != std::string::npos);
  // attributes of what is no dictionary
  CHECK(refusal(of_object(pickled("x") + "}b")).find("attributes of others would need their code") != std::string::npos);
  for (const char op : {'i', 'o', '\x92', '\x82', 'P', '\xff'})
    CHECK(refusal(of_object(std::string(1, op))).find("refused") != std::string::npos);
  CHECK(refusal(of_object(pickled_dict(pickled("x") + global("numpy.core.multiarray", "scalar") + ")R")))
            .find("torch.save(model.state_dict()") != std::string::npos);
}

TEST_CASE("torch file: other files of its kinds are refused by name") {
  CHECK(refusal(zip_of({{"m/data.pkl", two_tensors()}, {"m/constants.pkl", ""}})).find("a TorchScript program") !=
        std::string::npos);
  CHECK(refusal(zip_of({{"word/document.xml", ""}})).find("not one of PyTorch's") != std::string::npos);
  CHECK(refusal(zip_of({{"m/data.pkl", two_tensors(), 8}})).find("compressed") != std::string::npos);
  CHECK(refusal(zip_of({{"m/data.pkl", two_tensors()}, {"m/byteorder", "big"}})).find("big-endian") != std::string::npos);
  CHECK(refusal(of_object(pickled_dict(""))).find("no tensors under names") != std::string::npos);
  CHECK(refusal(of_object("](" + pickled(1) + "e")).find("expected a dictionary of tensors") != std::string::npos);
  CHECK(refusal(of_tensor(pickled_tensor(pickled_storage("ComplexFloatStorage", "0", 3), 0, {3}, {1})))
            .find("torch.ComplexFloatStorage") != std::string::npos);
  FileBytes tar(512, 0);
  std::copy_n("ustar", 5, tar.begin() + 257);
  CHECK(refusal(tar).find("before 0.1.10") != std::string::npos);
}

TEST_CASE("torch file: a length that lies is an error and takes no memory") {
  const std::string s = pickled_storage("FloatStorage", "0", 6);
  memory::reset_peak();
  const std::size_t before = memory::stats().in_use;
  // beyond the storage: by size, by offset, by stride; more than it has; sizes whose product does not fit
  for (const auto& [offset, shape, strides] :
       std::vector<std::tuple<std::int64_t, std::vector<std::int64_t>, std::vector<std::int64_t>>>{
           {0, {7}, {1}},
           {6, {1}, {1}},
           {0, {2, 3}, {2000000000, 1}},
           {0, {1000000000, 1000000000}, {0, 0}},
           {0, {2147483647, 2147483647, 2147483647}, {0, 0, 0}},
           {-1, {2}, {1}},
           {0, {-2}, {1}},
           {0, {2}, {-1}}})
    CHECK(refusal(of_tensor(pickled_tensor(s, offset, shape, strides))).find("f.pt: ") == 0);
  CHECK(refusal(of_tensor(pickled_tensor(pickled_storage("FloatStorage", "0", 2000000000), 0, {2000000000}, {1})))
            .find("truncated") != std::string::npos);
  CHECK(refusal(of_tensor(pickled_tensor(pickled_storage("FloatStorage", "9", 6), 0, {6}, {1}))).find("not in the file") !=
        std::string::npos);
  // texts and numbers of 4 GB
  for (const std::string op : {"X", "T", "B", "\x8b"})
    CHECK(refusal(of_object(op + "\xff\xff\xff\x7f")).find("bytes are wanted") != std::string::npos);
  CHECK(refusal(of_object("\x8d" + std::string(8, '\x7f'))).find("bytes are wanted") != std::string::npos);
  CHECK(memory::stats().peak - before < (1u << 20));
}

TEST_CASE("torch file: a few bytes cannot stand for any amount of tensors") {
  // ten thousand names of one storage
  std::string pairs = pickled_storage("FloatStorage", "0", 30000) + "q\x01" + "0";
  const std::string whole = pickled_tensor("h\x01", 0, {30000}, {1});
  std::string names = pickled("first") + whole;
  for (int i = 0; i < 200; ++i) names += pickled(std::to_string(i)) + whole;
  const std::string data(30000 * sizeof(float), '\0');
  CHECK(refusal(of_object(pairs + pickled_dict(names), data)).find("more than 4 times the file's size") != std::string::npos);
  // dictionaries of dictionaries, each twice the one before
  std::string doubling =
      pickled_dict(pickled("t") + pickled_tensor(pickled_storage("FloatStorage", "0", 6), 0, {6}, {1})) + "q\x01";
  for (int i = 0; i < 40; ++i)
    doubling += "0" + pickled_dict(pickled("a") + "h\x01" + pickled("b") + "h\x01" + pickled("c") + "h\x01") + "q\x01";
  CHECK(refusal(of_object(doubling)).find("f.pt: ") == 0);
  // one that holds itself
  CHECK(refusal(of_object("}q\x01(" + pickled("me") + "h\x01u")).find("f.pt: ") == 0);
}

TEST_CASE("torch file: damaged bytes give errors, whatever they are") {
  const int rounds = std::getenv("FOVEA_FUZZ_ROUNDS") ? std::atoi(std::getenv("FOVEA_FUZZ_ROUNDS")) : 20000;
  Random random(7);
  const FileBytes sources[] = {archive(), stream()};
  const std::string tokens[] = {
      "\xff\xff\xff\xff", "\xff\xff\xff\x7f", std::string(4, '\0'), "PK\x05\x06", "(", "t", "R", "u", "h\x01", "q\x01", ".", "0"};
  memory::reset_peak();
  const std::size_t before = memory::stats().in_use;
  int read = 0;
  for (int i = 0; i < rounds; ++i) {
    FileBytes bytes = sources[i % 2];
    for (std::int64_t n = 1 + random.below(4); n > 0 && !bytes.empty(); --n) {
      const auto at = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(bytes.size())));
      switch (random.below(5)) {
        case 0: bytes[at] = static_cast<std::uint8_t>(random.below(256)); break;
        case 1: bytes[at] ^= static_cast<std::uint8_t>(1 << random.below(8)); break;
        case 2: bytes.resize(at); break;
        case 3: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
        default: {
          const std::string& token = tokens[random.below(static_cast<std::int64_t>(std::size(tokens)))];
          for (std::size_t k = 0; k < token.size() && at + k < bytes.size(); ++k)
            bytes[at + k] = static_cast<std::uint8_t>(token[k]);
        }
      }
    }
    try {
      read += !parse_torch(bytes, "f.pt").tensors.empty();
    } catch (const Error& e) { REQUIRE(std::string(e.what()).find("f.pt: ") == 0); }
  }
  CHECK(read > 0);  // values and names may differ without anybody noticing
  CHECK(memory::stats().peak - before < (1u << 20));
}

TEST_CASE("torch file: read_weights tells the kinds apart; a model is none of them, and says what to do") {
  const Folder folder;
  const FileBytes bytes = archive();
  write_file_atomically(folder / "w.pth", bytes.data(), bytes.size());
  CHECK(read_weights(folder / "w.pth").tensors.size() == 2);
  CHECK(fails_with([&] { Model::load((folder / "w.pth").string()); },
                   "weights of PyTorch, not a Fovea model; `fovea import` makes one of them"));
  TensorFile plain;
  plain.tensors["a.weight"] = Tensor::zeros({2});
  write_safetensors(folder / "w.safetensors", plain);
  CHECK(read_weights(folder / "w.safetensors").tensors.size() == 1);
  CHECK(fails_with([&] { Model::load((folder / "w.safetensors").string()); },
                   "weights from elsewhere become one by `fovea import`"));
}
