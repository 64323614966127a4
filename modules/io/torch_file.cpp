#include "modules/io/torch_file.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "modules/io/files.hpp"
#include "modules/io/pickle.hpp"
#include "modules/io/zip.hpp"

namespace fovea {
namespace {

using Data = std::span<const std::uint8_t>;
using Item = PickleItem;
using Kind = Item::Kind;

struct Type {
  const char* storage;  // torch.FloatStorage
  DType dtype;          // of the tensor read
  std::uint64_t size;
};
constexpr Type kTypes[] = {{"FloatStorage", DType::f32, 4},   {"HalfStorage", DType::f16, 2}, {"BFloat16Storage", DType::bf16, 2},
                           {"DoubleStorage", DType::f64, 8},  {"LongStorage", DType::s64, 8}, {"IntStorage", DType::s32, 4},
                           {"ShortStorage", DType::s32, 2},   {"CharStorage", DType::s8, 1},  {"ByteStorage", DType::u8, 1},
                           {"BoolStorage", DType::boolean, 1}};

struct StorageRef {
  const Type* type;
  std::string key;
  std::int64_t elements;
};

// A tensor as the pickle says it: a view of a storage.
struct View {
  std::size_t storage;
  std::int64_t offset;
  Shape shape, strides;
};

constexpr std::int64_t kStorage = 0, kView = 1;  // of Item::integer / 2^32 for opaque items

// What the pickles of PyTorch call and refer to. Nothing else is known.
class Torch {
 public:
  explicit Torch(std::string name) : name_(std::move(name)) {}

  Pickle::Meaning meaning() {
    return {[this](const Item& f, const Pickle::Items& a) { return call(f.text, a); },
            [this](const Item& id) { return outside(id); }};
  }
  const std::vector<StorageRef>& storages() const { return storages_; }
  const View* view(const Item& item) const {
    return item.kind == Kind::opaque && item.integer >> 32 == kView ? &views_[static_cast<std::uint32_t>(item.integer)] : nullptr;
  }

 private:
  static Item opaque(std::int64_t kind, std::size_t index) {
    return {Kind::opaque, kind << 32 | static_cast<std::int64_t>(index), 0, {}};
  }

  Item call(const std::string& function, const Pickle::Items& a) {
    if (function == "collections.OrderedDict") return dictionary(a);
    if (function == "torch._utils._rebuild_tensor_v2" || function == "torch._utils._rebuild_tensor") return tensor(a);
    if (function == "torch._utils._rebuild_parameter") {
      check(!a.empty() && view(*a[0]), name_, ": damaged pickle: a parameter without a tensor");
      return *a[0];
    }
    if (function == "torch.Size" && a.size() == 1 && a[0]->kind == Kind::tuple && a[0]->items.size() <= Shape::kMaxRank)
      return *a[0];
    fail(name_, ": it holds a ", function,
         ", which only its own code can make, and none is run here. Save the tensors alone: torch.save(model.state_dict(), "
         "FILE), or "
         "safetensors.torch.save_file");
  }

  Item dictionary(const Pickle::Items& a) {
    Item dict{Kind::dict, 0, 0, {}};
    if (a.empty()) return dict;
    check(a.size() == 1 && (a[0]->kind == Kind::list || a[0]->kind == Kind::tuple), name_,
          ": damaged pickle: an OrderedDict of neither nothing nor pairs");
    pairs_ += a[0]->items.size();
    check(pairs_ <= kMostPairs, name_, ": damaged pickle: too many pairs");
    for (const Item* pair : a[0]->items) {
      check((pair->kind == Kind::list || pair->kind == Kind::tuple) && pair->items.size() == 2, name_,
            ": damaged pickle: an OrderedDict of what are no pairs");
      dict.entries.emplace_back(pair->items[0], pair->items[1]);
    }
    return dict;
  }

  // (storage, offset, size, stride, ...)
  Item tensor(const Pickle::Items& a) {
    check(a.size() >= 4 && a[0]->kind == Kind::opaque && a[0]->integer >> 32 == kStorage && a[1]->kind == Kind::integer, name_,
          ": damaged pickle: a tensor without its storage");
    const View v{static_cast<std::uint32_t>(a[0]->integer), a[1]->integer, shape_of(*a[2]), shape_of(*a[3])};
    check_inside(v);
    views_.push_back(v);
    return opaque(kView, views_.size() - 1);
  }

  Shape shape_of(const Item& sizes) const {
    check((sizes.kind == Kind::tuple || sizes.kind == Kind::list) && sizes.items.size() <= Shape::kMaxRank, name_,
          ": expected a tensor of at most ", Shape::kMaxRank, " dimensions");
    Shape shape;
    for (const Item* d : sizes.items) {
      check(d->kind == Kind::integer && d->integer >= 0, name_, ": damaged pickle: a size that is no number from 0");
      shape.push_back(d->integer);
    }
    return shape;
  }

  // Every element lies in the storage, and there are no more of them than it has: else a few bytes would stand for any amount.
  void check_inside(const View& v) const {
    const std::int64_t have = storages_[v.storage].elements;
    check(v.shape.rank() == v.strides.rank() && v.offset >= 0, name_, ": damaged pickle: a tensor of shape ", v.shape,
          " with strides ", v.strides);
    std::int64_t count = 1, last = v.offset, step = 0;
    bool fits = true;
    for (const std::int64_t d : v.shape) fits = fits && !__builtin_mul_overflow(count, d, &count);
    for (int i = 0; i < v.shape.rank() && count > 0; ++i)
      fits = fits && !__builtin_mul_overflow(v.shape[i] - 1, v.strides[i], &step) && !__builtin_add_overflow(last, step, &last);
    check(fits && (count == 0 || last < have) && count <= have, name_, ": damaged pickle: a tensor of shape ", v.shape,
          ", strides ", v.strides, " and offset ", v.offset, " reaches beyond its storage of ", have, " elements");
  }

  // ("storage", type, key, device, elements, view of the older files)
  Item outside(const Item& id) {
    const auto text = [&](std::size_t i, Kind kind) {
      check(id.items[i]->kind == kind, name_, ": damaged pickle: a storage that is not said as PyTorch does");
      return id.items[i]->text;
    };
    check(id.kind == Kind::tuple && id.items.size() >= 5 && text(0, Kind::text) == "storage", name_,
          ": damaged pickle: a reference that is no storage");
    check(id.items.size() == 5 || id.items[5]->kind == Kind::none, name_,
          ": it holds views of storages, as PyTorch before 0.4 wrote them; save it again with a newer one");
    const std::string key = text(2, Kind::text);
    const Type& type = type_of(text(1, Kind::global));
    const std::int64_t elements = id.items[4]->integer;
    check(id.items[4]->kind == Kind::integer && elements >= 0, name_, ": damaged pickle: a storage without its size");
    const auto [it, fresh] = by_key_.emplace(key, storages_.size());
    if (fresh) storages_.push_back({&type, key, elements});
    const StorageRef& s = storages_[it->second];
    check(s.type == &type && s.elements == elements, name_, ": damaged pickle: storage ", key, " is there in two ways");
    return opaque(kStorage, it->second);
  }

  const Type& type_of(const std::string& global) const {
    for (const Type& t : kTypes)
      if (global == std::string("torch.") + t.storage) return t;
    fail(name_, ": it holds a ", global, ", which cannot be read; save the tensors as float32, float16 or bfloat16");
  }

  static constexpr std::size_t kMostPairs = 1'000'000;
  std::string name_;
  std::vector<StorageRef> storages_;
  std::map<std::string, std::size_t> by_key_;
  std::vector<View> views_;
  std::size_t pairs_ = 0;
};

template <std::size_t Size>
void copy_elements(const View& v, const std::uint8_t* from, std::uint8_t* to) {
  const std::int64_t n = v.shape.elements();
  Shape at = v.shape;
  for (std::int64_t& i : std::span(&at[0], static_cast<std::size_t>(at.rank()))) i = 0;
  std::int64_t offset = v.offset;
  for (std::int64_t k = 0; k < n; ++k, to += Size) {
    std::memcpy(to, from + static_cast<std::size_t>(offset) * Size, Size);
    for (int i = at.rank() - 1; i >= 0; --i) {
      offset += v.strides[i];
      if (++at[i] < v.shape[i]) break;
      offset -= v.strides[i] * at[i];
      at[i] = 0;
    }
  }
}

Tensor dense(const View& v, const Type& type, Data storage, const std::string& where) {
  const bool wide = type.size != size_of(type.dtype);  // 16-bit integers, which Tensor lacks
  Tensor t = Tensor::empty(v.shape, type.dtype);
  const auto size = static_cast<std::size_t>(t.size()) * type.size;
  std::vector<std::uint8_t> narrow(wide ? size : 0);
  auto* to = wide ? narrow.data() : static_cast<std::uint8_t*>(t.raw());
  if (size > 0) {
    if (type.size == 1) copy_elements<1>(v, storage.data(), to);
    else if (type.size == 2) copy_elements<2>(v, storage.data(), to);
    else if (type.size == 4) copy_elements<4>(v, storage.data(), to);
    else copy_elements<8>(v, storage.data(), to);
  }
  if (type.dtype == DType::boolean)
    check(std::all_of(to, to + size, [](std::uint8_t b) { return b < 2; }), where, ": a boolean is neither 0 nor 1");
  for (std::int64_t i = 0; wide && i < t.size(); ++i) {
    std::int16_t value;
    std::memcpy(&value, narrow.data() + 2 * i, sizeof value);
    t.data<std::int32_t>()[i] = value;
  }
  return t;
}

// The tensors under their names. Dictionaries may be shared and may hold themselves: what is looked at is counted.
class Names {
 public:
  Names(const Torch& torch, const std::string& file) : torch_(torch), file_(file) {}
  std::map<std::string, const View*> all;

  void gather(const Item& dict, const std::string& prefix = "", int depth = 0) {
    constexpr int kDeepest = 16;
    constexpr std::size_t kMost = 1'000'000, kLongest = 1024;
    if (depth > kDeepest) return;
    for (const auto& [key, value] : dict.entries) {
      check(++seen_ <= kMost, file_, ": damaged pickle: its dictionaries hold one another");
      const View* view = torch_.view(*value);
      if (key->kind != Kind::text || (!view && value->kind != Kind::dict)) continue;
      const std::string name = prefix + key->text;
      check(name.size() <= kLongest, file_, ": damaged pickle: a name of more than ", kLongest, " characters");
      if (view) check(all.emplace(name, view).second, file_, ": damaged pickle: \"", name, "\" is there twice");
      else gather(*value, name + ".", depth + 1);
    }
  }

 private:
  const Torch& torch_;
  const std::string& file_;
  std::size_t seen_ = 0;
};

using StorageBytes = std::map<std::string, Data>;

TensorFile tensors_of(const Torch& torch, const Item& root, const StorageBytes& data, std::size_t file_size,
                      const std::string& name) {
  check(root.kind == Kind::dict, name, ": expected a dictionary of tensors, as torch.save(model.state_dict(), FILE) writes it");
  Names names(torch, name);
  names.gather(root);
  check(!names.all.empty(), name, ": it holds no tensors under names");
  constexpr std::uint64_t kCopies = 4;  // tied weights are written once and read several times
  std::uint64_t left = kCopies * file_size + 65536;
  TensorFile file;
  for (const auto& [key, view] : names.all) {
    const StorageRef& s = torch.storages()[view->storage];
    const std::string where = name + ": tensor \"" + key + "\"";
    const auto it = data.find(s.key);
    check(it != data.end(), where, ": its storage ", s.key, " is not in the file");
    check(static_cast<std::uint64_t>(s.elements) <= it->second.size() / s.type->size, where, ": truncated: its storage has ",
          it->second.size(), " bytes, ", s.elements, " elements of ", s.type->size, " are said to be there");
    const std::uint64_t size = static_cast<std::uint64_t>(view->shape.elements()) * size_of(s.type->dtype);
    check(size <= left, where, ": the tensors take more than ", kCopies, " times the file's size");
    left -= size;
    file.tensors.emplace(key, dense(*view, *s.type, it->second, where));
  }
  return file;
}

TensorFile parse_archive(Data bytes, const std::string& name) {
  const auto entries = stored_entries(bytes, name);
  const std::string kPickle = "data.pkl";
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& e) { return e.first == kPickle || e.first.ends_with("/" + kPickle); });
  check(found != entries.end(), name, ": an archive, but not one of PyTorch's: it has no data.pkl");
  const std::string folder = found->first.substr(0, found->first.size() - kPickle.size());
  check(!entries.count(folder + "constants.pkl"), name,
        ": a TorchScript program; save its tensors: torch.save(torch.jit.load(FILE).state_dict(), OTHER)");
  if (const auto order = entries.find(folder + "byteorder"); order != entries.end())
    check(std::string(order->second.begin(), order->second.end()) == "little", name, ": it was written on a big-endian machine");
  StorageBytes data;
  const std::string storages = folder + "data/";
  for (const auto& [key, part] : entries)
    if (key.rfind(storages, 0) == 0) data[key.substr(storages.size())] = part;
  Torch torch(name);
  Pickle pickle(name, torch.meaning());
  return tensors_of(torch, pickle.read(found->second), data, bytes.size(), name);
}

// 0x1950a86a20f9469cfc6c, little endian, in a pickle of its own.
constexpr std::uint8_t kMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

bool is_stream(Data bytes) { return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0; }

// Pickles one behind the other: the magic number, the version, what the machine was, the object, the storages' keys; then each storage,
// its number of elements in front of it.
TensorFile parse_stream(Data bytes, const std::string& name) {
  std::size_t at = sizeof kMagic;
  Torch torch(name);
  Pickle pickle(name, torch.meaning());
  const auto next = [&]() -> const Item& {
    std::size_t used = 0;
    const Item& item = pickle.read(bytes.subspan(at), &used);
    at += used;
    return item;
  };
  const Item& version = next();
  check(version.kind == Kind::integer && version.integer == 1001, name,
        ": damaged: expected version 1001 of PyTorch's older files");
  for (const auto& [key, value] : next().entries)
    check(key->text != "little_endian" || value->integer == 1, name, ": it was written on a big-endian machine");
  const Item& root = next();
  const Item& keys = next();
  check(keys.kind == Kind::list, name, ": damaged: expected the list of its storages");
  StorageBytes data;
  for (const Item* key : keys.items) {
    const auto& all = torch.storages();
    const auto s = std::find_if(all.begin(), all.end(), [&](const StorageRef& r) { return r.key == key->text; });
    check(key->kind == Kind::text && s != all.end() && !data.count(key->text), name, ": damaged: a storage that no tensor has");
    const Data rest = bytes.subspan(at);
    check(rest.size() >= 8 && static_cast<std::uint64_t>(s->elements) <= (rest.size() - 8) / s->type->size, name,
          ": truncated: storage ", s->key, " should have ", s->elements, " elements");
    std::int64_t count = 0;
    std::memcpy(&count, rest.data(), sizeof count);
    check(count == s->elements, name, ": damaged: storage ", s->key, " has ", count, " elements, its tensors say ", s->elements);
    data[key->text] = rest.subspan(8, static_cast<std::size_t>(count) * s->type->size);
    at += 8 + data[key->text].size();
  }
  return tensors_of(torch, root, data, bytes.size(), name);
}

// The oldest files are tar archives, which say so far behind their beginning.
bool is_tar(Data bytes) { return bytes.size() > 262 && std::memcmp(bytes.data() + 257, "ustar", 5) == 0; }

}  // namespace

bool is_torch_file(Data bytes) { return is_zip(bytes) || is_stream(bytes) || is_tar(bytes); }

TensorFile parse_torch(Data bytes, const std::string& name) try {
  if (is_zip(bytes)) return parse_archive(bytes, name);
  check(!is_tar(bytes), name, ": an archive of PyTorch before 0.1.10; save it again with a newer one");
  check(is_stream(bytes), name, ": not a file of PyTorch's: neither an archive nor its older stream of pickles");
  return parse_stream(bytes, name);
} catch (const std::bad_alloc&) { fail(name, ": not enough memory to read its ", bytes.size(), " bytes"); }

TensorFile read_weights(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  return is_torch_file(bytes) ? parse_torch(bytes, file.string()) : parse_safetensors(bytes, file.string());
}

}  // namespace fovea
