#include "modules/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "modules/core/memory.hpp"
#include "modules/io/safetensors.hpp"

namespace fovea {
namespace {

// FNV-1a over 8 bytes at a time.
class Hash {
 public:
  void add(const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    for (; size > 0;) {
      std::uint64_t word = 0;
      const std::size_t piece = std::min(size, sizeof word);
      std::memcpy(&word, at, piece);
      value_ = (value_ ^ word) * 0x100000001b3u;
      value_ ^= value_ >> 29;  // so that high bits reach the low ones
      at += piece, size -= piece;
    }
  }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

std::string fingerprint_of(const std::map<std::string, Tensor>& tensors) {
  Hash hash;
  for (const auto& [name, value] : tensors) {
    hash.add(name.data(), name.size());
    const Tensor dense = value.contiguous(Layout::row_major);
    hash.add(dense.raw(), dense.bytes());
  }
  return hash.text();
}

const std::shared_ptr<Storage>& storage_of(const ParamStore::Entry& e) { return e.value.value().storage(); }

}  // namespace

void Weights::load(const std::filesystem::path& file, const std::map<std::string, Tensor>& tensors) {
  const std::unique_lock lock(mutex_);
  params_->load(tensors);
  file_ = file;
  for (const ParamStore::Entry& e : params_->entries()) loaded_.push_back(storage_of(e)->version);
}

bool Weights::as_loaded() const {
  const auto& entries = params_->entries();
  return !file_.empty() && std::equal(entries.begin(), entries.end(), loaded_.begin(), loaded_.end(),
                                      [](const auto& e, std::uint64_t version) { return storage_of(e)->version == version; });
}

void Weights::release() {
  const std::unique_lock lock(mutex_);
  if (released_) return;
  check(!file_.empty(), "release_weights: expected a model that was loaded from a file: there the weights are read again");
  check(as_loaded(), "release_weights: the weights are not those of ", file_.string(), " any more; save them and load that file");
  print_ = fingerprint_of(params_->values());
  released_ = true;
}

std::shared_lock<std::shared_mutex> Weights::use() {
  while (true) {
    std::shared_lock lock(mutex_);
    if (!away()) return lock;
    lock.unlock();
    const std::unique_lock alone(mutex_);
    if (away()) read_again();
  }
}

void Weights::with_making(const std::function<void(bool released)>& make) {
  {
    const std::shared_lock lock(mutex_);
    if (!released_) return make(false);
  }
  struct Behind {  // also when making fails
    Weights& weights;
    ~Behind() {
      try {
        weights.give_back();
      } catch (const std::bad_alloc&) {}  // they stay where they are
    }
  };
  const std::unique_lock alone(mutex_);
  if (away()) read_again();
  const Behind behind{*this};
  make(true);
}

Weights::Facts Weights::facts_of_values() const {
  Facts f{1469598103934665603u, true};
  for (const ParamStore::Entry& e : params_->entries()) {
    f.identity = (f.identity ^ storage_of(e)->id) * 1099511628211u;
    f.f32 &= e.value.dtype() == DType::f32 || !is_floating(e.value.dtype());
  }
  return f;
}

Weights::Facts Weights::facts() const {
  const std::shared_lock lock(mutex_);
  return away() ? facts_ : facts_of_values();
}

std::string Weights::fingerprint() const {
  const std::shared_lock lock(mutex_);
  return away() ? print_ : fingerprint_of(params_->values());
}

void Weights::give_back() {
  if (!as_loaded()) return;  // the file could not give these
  facts_ = facts_of_values();
  left_.reserve(left_.size() + params_->entries().size());
  for (const ParamStore::Entry& e : params_->entries()) {
    left_.push_back({storage_of(e)->id, storage_of(e)->version, e.value.dtype()});
    e.value.state()->value = {};
  }
  memory::trim();
}

void Weights::read_again() {
  const PathScope where(file_.string());
  std::map<std::string, Tensor> values = read_safetensors(file_).tensors;
  const auto& entries = params_->entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto it = values.find(entries[i].name);
    check(it != values.end() && it->second.size() == entries[i].value.shape().elements(),
          "the file is not what it was when this model was loaded from it: ", entries[i].name);
    it->second = it->second.to(left_[i].dtype).reshape(entries[i].value.shape());
  }
  check(fingerprint_of(values) == print_, "the file's weights are not what they were when this model was loaded from it");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Tensor& value = values.at(entries[i].name);
    // The same values under the same names: what plans made of them stays what it is.
    value.storage()->id = left_[i].id, value.storage()->version = left_[i].version;
    entries[i].value.state()->value = value;
  }
  left_.clear();
}

}  // namespace fovea
