#include "modules/core/dnnl_cache.hpp"

#include <list>
#include <map>
#include <mutex>
#include <unordered_map>

#include "modules/core/room.hpp"
#include "modules/core/threads.hpp"

namespace fovea::dnn {
namespace {

constexpr std::size_t kMaxPrimitives = 1024;
constexpr std::size_t kMaxWeightBytes = std::size_t{512} << 20;

struct PrimitiveCache {
  std::mutex mutex;
  std::list<std::pair<std::string, std::shared_ptr<const Primitive>>> recent;  // front: used last
  std::unordered_map<std::string, decltype(recent)::iterator> by_key;
};

struct Reordered {
  std::weak_ptr<Storage> source;
  std::uint64_t version = 0;
  std::shared_ptr<Storage> copy;
  std::uint64_t used = 0;
};

struct WeightCache {
  std::mutex mutex;
  std::map<std::pair<std::uint64_t, std::string>, Reordered> entries;  // storage id, layout
  std::size_t bytes = 0;
  std::uint64_t clock = 0, reorders = 0;
};

PrimitiveCache& primitives() {
  static PrimitiveCache& cache = *new PrimitiveCache;
  return cache;
}

WeightCache& weights() {
  static WeightCache& cache = *new WeightCache;
  return cache;
}

// Drops copies whose tensor is gone, then the least recently used ones down to the cap.
void trim(WeightCache& cache) {
  for (auto it = cache.entries.begin(); it != cache.entries.end();) {
    if (!it->second.source.expired()) {
      ++it;
      continue;
    }
    cache.bytes -= it->second.copy->bytes;
    it = cache.entries.erase(it);
  }
  while (cache.bytes > kMaxWeightBytes && cache.entries.size() > 1) {
    auto oldest = cache.entries.begin();
    for (auto it = cache.entries.begin(); it != cache.entries.end(); ++it)
      if (it->second.used < oldest->second.used) oldest = it;
    cache.bytes -= oldest->second.copy->bytes;
    cache.entries.erase(oldest);
  }
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine& e = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return e;
}

dnnl::stream& stream() {
  thread_local dnnl::stream s(engine());
  return s;
}

Key::Key(char kind) : text_(1, kind) { *this << threads(); }

Key& Key::operator<<(std::int64_t v) {
  text_.append(reinterpret_cast<const char*>(&v), sizeof v);
  return *this;
}

Key& Key::operator<<(const Shape& s) {
  *this << s.rank();
  for (auto d : s) *this << d;
  return *this;
}

std::shared_ptr<const Primitive> cached_primitive(const Key& key, const std::function<Primitive()>& create) {
  PrimitiveCache& cache = primitives();
  {
    std::lock_guard lock(cache.mutex);
    if (auto it = cache.by_key.find(key.str()); it != cache.by_key.end()) {
      cache.recent.splice(cache.recent.begin(), cache.recent, it->second);
      return it->second->second;
    }
  }
  memory::check_room();
  auto made = std::make_shared<const Primitive>(create());  // outside the lock: creation takes milliseconds
  std::lock_guard lock(cache.mutex);
  if (cache.by_key.count(key.str())) return made;
  cache.recent.emplace_front(key.str(), made);
  cache.by_key[key.str()] = cache.recent.begin();
  while (cache.recent.size() > kMaxPrimitives) {
    cache.by_key.erase(cache.recent.back().first);
    cache.recent.pop_back();
  }
  return made;
}

HeldMemory reordered_weights(const Tensor& w, const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
  if (from == to) return {as_memory(from, w), w.storage()};
  WeightCache& cache = weights();
  // The offset of a view is part of its identity.
  const auto offset = static_cast<const char*>(w.raw()) - static_cast<const char*>(w.storage()->data);
  const std::pair key{w.storage()->id, layout_key(from) + layout_key(to) + std::to_string(offset)};
  const std::uint64_t version = w.storage()->version;
  {
    std::lock_guard lock(cache.mutex);
    auto it = cache.entries.find(key);
    if (it != cache.entries.end() && it->second.version == version) {
      it->second.used = ++cache.clock;
      return {{to, engine(), it->second.copy->data}, it->second.copy};
    }
  }
  auto copy = std::make_shared<Storage>(to.get_size());
  dnnl::memory source = as_memory(from, w), target(to, engine(), copy->data);
  memory::check_room();
  dnnl::reorder(source, target).execute(stream(), source, target);
  stream().wait();
  std::lock_guard lock(cache.mutex);
  ++cache.reorders;
  Reordered& entry = cache.entries[key];
  if (entry.copy) cache.bytes -= entry.copy->bytes;
  entry = {w.storage(), version, copy, ++cache.clock};
  cache.bytes += copy->bytes;
  trim(cache);
  return {target, copy};
}

dnnl::memory scratchpad(const dnnl::memory::desc& desc) {
  thread_local std::shared_ptr<Storage> scratch;
  const std::size_t bytes = desc.get_size();
  if (!scratch || scratch->bytes < bytes) scratch = std::make_shared<Storage>(bytes);
  return {desc, engine(), scratch->data};
}

dnnl::memory::data_type type_of(DType type) {
  using Type = dnnl::memory::data_type;
  switch (type) {
    case DType::f32: return Type::f32;
    case DType::bf16: return Type::bf16;
    default: fail("oneDNN: expected f32 or bf16, got ", name_of(type));
  }
}

dnnl::memory as_memory(const dnnl::memory::desc& desc, const Tensor& t) { return {desc, engine(), const_cast<void*>(t.raw())}; }

CacheStats cache_stats() {
  CacheStats stats;
  {
    std::lock_guard lock(primitives().mutex);
    stats.primitives = primitives().recent.size();
  }
  std::lock_guard lock(weights().mutex);
  stats.weights = weights().entries.size();
  stats.weight_bytes = weights().bytes;
  stats.reorders = weights().reorders;
  return stats;
}

// dnnl_memory_desc_t is plain data in 2.x; 3.x gives a blob.
std::string layout_key(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  const auto blob = dnnl::memory::desc(desc).get_blob();  // not const in 3.x
  return {reinterpret_cast<const char*>(blob.data()), blob.size()};
#else
  return {reinterpret_cast<const char*>(&desc.data), sizeof desc.data};
#endif
}

void clear_caches() {
  {
    std::lock_guard lock(primitives().mutex);
    primitives().by_key.clear();
    primitives().recent.clear();
  }
  std::lock_guard lock(weights().mutex);
  weights().entries.clear();
  weights().bytes = 0;
}

std::string version() {
  const auto* v = dnnl::version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

}  // namespace fovea::dnn
