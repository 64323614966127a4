// What travels through a pipeline: one input file with everything that stages found out about it.
#pragma once

#include <any>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"

namespace fovea {

// A result of type T under a name. Stages say in their contract which keys they need and give.
template <class T>
struct Key {
  std::string_view name;
};

inline constexpr Key<Image> kImage{"image"};    // the decoded input
inline constexpr Key<Image> kOutput{"output"};  // the picture to write

class Results {
 public:
  template <class T>
  void put(Key<T> key, T value) {
    remove(key);
    entries_.emplace_back(key.name, std::move(value));
  }
  template <class T>
  bool has(Key<T> key) const {
    return find(key.name) != nullptr;
  }
  template <class T>
  const T& get(Key<T> key) const {
    const std::any* found = find(key.name);
    check(found != nullptr, "frame: no result named '", key.name, "'");
    const T* value = std::any_cast<T>(found);
    check(value != nullptr, "frame: the result '", key.name, "' is of another type than its key");
    return *value;
  }
  template <class T>
  T take(Key<T> key) {
    T value = std::move(const_cast<T&>(get(key)));
    remove(key);
    return value;
  }
  template <class T>
  void remove(Key<T> key) {
    std::erase_if(entries_, [&](const auto& e) { return e.first == key.name; });
  }
  // Gives the memory back; what is left of the frame is small.
  void clear() { entries_.clear(); }

 private:
  const std::any* find(std::string_view name) const {
    for (const auto& [key, value] : entries_)
      if (key == name) return &value;
    return nullptr;
  }

  std::vector<std::pair<std::string_view, std::any>> entries_;
};

struct StageTime {
  std::string_view stage;
  double wall = 0, cpu = 0;  // seconds; cpu counts every thread of the stage's lane
};

struct FrameError {
  std::string stage;
  std::string reason;
  bool environment = false;  // the machine failed (disk full), not this input: the run ends, what is left is done next time
  bool passing = false;      // the machine failed for this one at this moment (not enough memory): it alone is left for next time
};

struct Frame {
  std::size_t index = 0;                       // position in the run
  std::string source;                          // as shown to people: the path as it was given
  std::filesystem::path input;                 // what to read
  std::string part;                            // of it, where a file holds several inputs
  std::vector<std::filesystem::path> members;  // all files of an input that is a group; else empty
  bool stream = false;                         // it is a video: pictures one after another
  std::string address;                         // of a stream that is no file, with its passwords
  std::string alias;                           // what it is called where its name must not be told; else empty
  std::filesystem::path output;                // what to write
  Results results;
  std::vector<std::filesystem::path> written;  // files beside the output (maps)
  std::vector<StageTime> times;
  std::vector<std::string> notes;  // what people should know of the input, though it was read
  std::optional<FrameError> error;
  bool complete = false;  // all is written: later stages leave it alone
  std::function<void(double share)> advance =
      {};  // where one input takes long: how much of it is done, 0..1; any thread. May be empty

  // What errors about it begin with.
  std::string name() const { return alias.empty() ? input.string() : alias; }
  double seconds() const {
    double sum = 0;
    for (const StageTime& t : times) sum += t.wall;
    return sum;
  }
};

}  // namespace fovea
