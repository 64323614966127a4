// Python's pickles, read without running anything: the opcodes that files of tensors use. What a pickle would have called is kept as its
// name, for `Reducer` to know or to refuse; there is nothing here that could import or execute.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fovea {

// One Python object. Items live in their Pickle; the same object may be in several places, and in itself.
struct PickleItem {
  enum class Kind : std::uint8_t { none, boolean, integer, real, text, bytes, large, tuple, list, dict, global, opaque };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  // also of booleans; of `opaque`: whatever the owner numbers with it
  double real = 0;
  std::string
      text;  // also the bytes of `bytes` and `large` (an integer of more than 64 bits, little endian); "module.name" of `global`
  std::vector<const PickleItem*> items = {};                                  // of tuples and lists
  std::vector<std::pair<const PickleItem*, const PickleItem*>> entries = {};  // of dicts, in order
};

class Pickle {
 public:
  using Item = PickleItem;
  using Items = std::vector<const Item*>;
  // What stands for a call of `function` (a `global`), and for what is stored outside (a persistent id). They throw Error for what they
  // do not know.
  struct Meaning {
    std::function<Item(const Item& function, const Items& arguments)> call;
    std::function<Item(const Item& id)> outside;
  };

  // `name` opens messages.
  Pickle(std::string name, Meaning meaning) : name_(std::move(name)), meaning_(std::move(meaning)) {}
  // Reads one pickle from the beginning of `bytes`; `used` says how long it was. Throws Error for what is damaged, or holds what tensors
  // do not need.
  const Item& read(std::span<const std::uint8_t> bytes, std::size_t* used = nullptr);

 private:
  friend class PickleMachine;
  std::string name_;
  Meaning meaning_;
  std::deque<Item> items_;
};

}  // namespace fovea
