// The file that keeps a folder's encoded pictures: what is written is read, what is damaged is refused by name.
#include "pipeline/tasks/retrieve/index.hpp"

#include <fstream>

#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "pipeline/errors.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

Model model_of(const std::string& preprocess = "{size: 16}", std::uint64_t seed = 0) {
  return Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: resnet18, stem: cifar, layers: [1], widths: [4]}\n  head: {type: retrieve, width: 3, "
      "words: "
      "2}\npreprocess: " +
          preprocess + "\n",
      seed);
}

Tensor map(std::int64_t height, std::int64_t width, std::uint64_t seed) {
  return test::random_tensor({3, height, width}, seed).to(DType::f16);
}

SearchIndex filled(const Model& model) {
  SearchIndex index(model);
  index.entries()["a/b.png"] = {{10, 1234567890123456789}, map(2, 3, 1)};
  index.entries()["\xFF not UTF-8\n.png"] = {{0, -5}, map(1, 1, 2)};
  return index;
}

// A file with one thing changed.
template <class F>
void change(const std::filesystem::path& file, const F& f) {
  TensorFile content = read_safetensors(file);
  f(content);
  write_safetensors(file, content);
}

}  // namespace

TEST_CASE("search index: names of any bytes, stamps and values come back; an empty one, too") {
  const test::Folder folder;
  const Model model = model_of();
  const SearchIndex written = filled(model);
  written.write(folder / "i");
  SearchIndex read(model);
  read.read(folder / "i");
  REQUIRE(read.entries().size() == 2);
  for (const auto& [name, entry] : written.entries()) {
    CHECK(read.entries().at(name).stamp == entry.stamp);
    CHECK(read.entries().at(name).values.shape() == entry.values.shape());
    CHECK(read.entries().at(name).values.values() == entry.values.values());
  }
  SearchIndex(model).write(folder / "empty");
  read.read(folder / "empty");
  CHECK(read.entries().empty());
}

TEST_CASE("search index: another model's, another preprocessing's and another version's is refused with a way out") {
  const test::Folder folder;
  filled(model_of()).write(folder / "i");
  for (const Model& other : {model_of("{size: 16}", 1), model_of("{size: 24}")}) {
    SearchIndex index(other);
    CHECK(fails_with([&] { index.read(folder / "i"); }, "another model ('resnet18'); search with that one"));
    CHECK_THROWS_AS(index.read(folder / "i"), UsageError);
    CHECK(index.entries().empty());
  }
  change(folder / "i", [](TensorFile& f) { f.metadata["fovea.index"] = "2\x1b"; });
  CHECK(fails_with([&] { SearchIndex(model_of()).read(folder / "i"); }, "an index of version 2?; this program reads version 1"));
}

TEST_CASE("search index: damaged files are refused, whatever is damaged") {
  const test::Folder folder;
  const Model model = model_of();
  const auto refused = [&](const std::string& why) {
    SearchIndex index(model);
    return fails_with([&] { index.read(folder / "i"); }, why) && index.entries().empty();
  };
  const auto damaged = [&](const std::string& why, const auto& f) {
    INFO(why);
    filled(model).write(folder / "i");
    change(folder / "i", f);
    CHECK(refused(why));
    CHECK(refused("--rebuild"));
  };
  const auto file_number = [](std::size_t at, std::int64_t value) {
    return [=](TensorFile& f) { f.tensors["files"].data<std::int64_t>()[at] = value; };
  };
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{65536}, INT64_MAX, INT64_MIN})
    damaged("does not fit the values", file_number(2, value));
  damaged("values: expected", file_number(2, 1));
  damaged("expected a tensor 'names'", [](TensorFile& f) { f.tensors.erase("names"); });
  damaged("files: expected 2 x 4", [](TensorFile& f) { f.tensors["files"] = Tensor::zeros({3, 4}, DType::s64); });
  damaged("values: expected f16", [](TensorFile& f) { f.tensors["values"] = Tensor::zeros({21}); });
  damaged("not finite", [](TensorFile& f) { f.tensors["values"].fill(std::numeric_limits<double>::quiet_NaN()); });
  damaged("names: expected paths that end", [](TensorFile& f) { f.tensors["names"].fill('x'); });
  damaged("names: expected paths that end", [](TensorFile& f) { f.tensors["names"].fill(0); });

  filled(model).write(folder / "i");
  const std::vector<std::uint8_t> whole = read_file(folder / "i");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file_atomically(folder / "i", whole.data(), size);
    CHECK(refused("--rebuild"));
  }
}

TEST_CASE("search index: only an index is replaced by one") {
  const test::Folder folder;
  const Model model = model_of();
  CHECK(SearchIndex::may_replace(folder / "none"));
  CHECK(!SearchIndex::may_replace(folder.path()));
  write_file_atomically(folder / "photo.jpg", "this is no index");
  CHECK(!SearchIndex::may_replace(folder / "photo.jpg"));
  filled(model).write(folder / "i");
  CHECK(SearchIndex::may_replace(folder / "i"));
  write_safetensors(folder / "weights", {{{"w", Tensor::zeros({2})}}, {{"a", "b"}}});
  CHECK(fails_with([&] { SearchIndex(model).read(folder / "weights"); }, "it is no index of pictures"));
}
