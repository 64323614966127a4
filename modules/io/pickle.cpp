#include "modules/io/pickle.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <unordered_map>

#include "modules/core/error.hpp"

namespace fovea {

// The stack machine of pickles, protocols 2 to 5. Every length is bounded by the bytes that are left, and an opcode makes one item at most:
// a pickle takes memory in proportion to its size.
class PickleMachine {
  using Kind = PickleItem::Kind;

 public:
  PickleMachine(Pickle& pickle, std::span<const std::uint8_t> bytes) : p_(pickle), bytes_(bytes) {}

  const PickleItem& run(std::size_t* used) {
    while (true) {
      const std::uint8_t op = number<std::uint8_t>();
      if (op == '.') break;
      step(op);
    }
    if (used) *used = at_;
    check(stack_.size() == 1 && marks_.empty(), p_.name_, ": damaged pickle: it ends with ", stack_.size(), " objects");
    return *stack_.back();
  }

 private:
  static constexpr std::size_t kMostItems = 2'000'000;  // a tensor takes about ten

  std::span<const std::uint8_t> take(std::uint64_t size) {
    check(size <= bytes_.size() - at_, p_.name_, ": damaged pickle: ", size, " bytes are wanted, ", bytes_.size() - at_,
          " are left");
    const auto part = bytes_.subspan(at_, static_cast<std::size_t>(size));
    at_ += part.size();
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text(std::uint64_t size) {
    const auto part = take(size);
    return {part.begin(), part.end()};
  }
  std::string line() {
    constexpr std::size_t kLongest = 256;
    std::string out;
    for (char c = 0; (c = static_cast<char>(number<std::uint8_t>())) != '\n';) {
      check(out.size() < kLongest, p_.name_, ": damaged pickle: a name of more than ", kLongest, " characters");
      out += c;
    }
    return out;
  }

  void push(const PickleItem* item) { stack_.push_back(item); }
  PickleItem& push(PickleItem item) {
    check(p_.items_.size() < kMostItems, p_.name_, ": more than ", kMostItems, " objects are too many for a file of tensors");
    p_.items_.push_back(std::move(item));
    push(&p_.items_.back());
    return p_.items_.back();
  }
  void push(Kind kind, std::int64_t integer) { push({kind, integer, 0, {}}); }
  void push(Kind kind, std::string of) { push({kind, 0, 0, std::move(of)}); }

  // Nothing below the last mark is taken.
  const PickleItem* pop() {
    check(stack_.size() > (marks_.empty() ? 0 : marks_.back()), p_.name_, ": damaged pickle: an object is missing");
    const PickleItem* top = stack_.back();
    stack_.pop_back();
    return top;
  }
  PickleItem& top(Kind kind, const char* what) {
    check(!stack_.empty() && stack_.back()->kind == kind, p_.name_, ": damaged pickle: expected ", what);
    return const_cast<PickleItem&>(*stack_.back());  // all items are this machine's
  }
  Pickle::Items to_mark() {
    check(!marks_.empty(), p_.name_, ": damaged pickle: a mark is missing");
    const Pickle::Items out(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return out;
  }
  void push_tuple(Pickle::Items items) { push({Kind::tuple, 0, 0, {}, std::move(items)}); }
  void push_last(std::size_t count) {
    Pickle::Items items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_tuple(std::move(items));
  }
  void set_items(const Pickle::Items& pairs) {
    check(pairs.size() % 2 == 0, p_.name_, ": damaged pickle: a key without a value");
    auto& entries = top(Kind::dict, "a dictionary").entries;
    for (std::size_t i = 0; i < pairs.size(); i += 2) entries.emplace_back(pairs[i], pairs[i + 1]);
  }
  void append(const Pickle::Items& more) {
    auto& items = top(Kind::list, "a list").items;
    items.insert(items.end(), more.begin(), more.end());
  }
  void remember(std::uint64_t key) {
    check(!stack_.empty(), p_.name_, ": damaged pickle: nothing to remember");
    memo_[key] = stack_.back();
  }
  void recall(std::uint64_t key) {
    const auto it = memo_.find(key);
    check(it != memo_.end(), p_.name_, ": damaged pickle: nothing was remembered as ", key);
    push(it->second);
  }

  void push_long(std::uint64_t size) {
    const auto part = take(size);
    if (size > 8) return push(Kind::large, {part.begin(), part.end()});
    std::uint64_t value = !part.empty() && part.back() & 0x80 ? UINT64_MAX : 0;
    for (std::size_t i = part.size(); i-- > 0;) value = value << 8 | part[i];
    push(Kind::integer, static_cast<std::int64_t>(value));
  }
  void push_global(const std::string& module, const std::string& name) { push(Kind::global, module + "." + name); }
  void stack_global() {
    const PickleItem *name = pop(), *module = pop();
    check(name->kind == Kind::text && module->kind == Kind::text && name->text.size() + module->text.size() <= 512, p_.name_,
          ": damaged pickle: a class without a name");
    push_global(module->text, name->text);
  }
  void reduce() {
    const PickleItem *arguments = pop(), *function = pop();
    check(arguments->kind == Kind::tuple && function->kind == Kind::global, p_.name_,
          ": damaged pickle: expected a function and its arguments");
    push(p_.meaning_.call(*function, arguments->items));
  }
  // Attributes: those of a dictionary are notes (PyTorch's `_metadata`); nothing else that is known has any.
  void build() {
    pop();
    top(Kind::dict, "only plain objects; attributes of others would need their code");
  }

  void step(std::uint8_t op) {
    switch (op) {
      case 0x80: return version(number<std::uint8_t>());
      case 0x95: number<std::uint64_t>(); return;  // a frame: how much to read ahead
      case '(': marks_.push_back(stack_.size()); return;
      case '0': pop(); return;
      case '1': to_mark(); return;
      case 'N': return push(Kind::none, 0);
      case 0x88: return push(Kind::boolean, 1);
      case 0x89: return push(Kind::boolean, 0);
      case 'J': return push(Kind::integer, number<std::int32_t>());
      case 'K': return push(Kind::integer, number<std::uint8_t>());
      case 'M': return push(Kind::integer, number<std::uint16_t>());
      case 0x8a: return push_long(number<std::uint8_t>());
      case 0x8b: return push_long(number<std::uint32_t>());
      case 'G': push({Kind::real, 0, std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>())), {}}); return;
      case 'X':
      case 'T': return push(Kind::text, text(number<std::uint32_t>()));
      case 0x8c:
      case 'U': return push(Kind::text, text(number<std::uint8_t>()));
      case 0x8d: return push(Kind::text, text(number<std::uint64_t>()));
      case 'B': return push(Kind::bytes, text(number<std::uint32_t>()));
      case 'C': return push(Kind::bytes, text(number<std::uint8_t>()));
      case 0x8e: return push(Kind::bytes, text(number<std::uint64_t>()));
      case ')': return push_tuple({});
      case 0x85: return push_last(1);
      case 0x86: return push_last(2);
      case 0x87: return push_last(3);
      case 't': return push_tuple(to_mark());
      case ']': return push(Kind::list, 0);
      case '}': return push(Kind::dict, 0);
      case 'a': return append({pop()});
      case 'e': return append(to_mark());
      case 's': return set_pair();
      case 'u': return set_items(to_mark());
      case 'q': return remember(number<std::uint8_t>());
      case 'r': return remember(number<std::uint32_t>());
      case 0x94: return remember(memo_.size());
      case 'h': return recall(number<std::uint8_t>());
      case 'j': return recall(number<std::uint32_t>());
      case 'c': return global_line();
      case 0x93: return stack_global();
      case 'Q': push(p_.meaning_.outside(*pop())); return;
      case 'R':
      case 0x81: return reduce();  // an object made by its class: the same for us
      case 'b': return build();
      default:
        fail(p_.name_, ": the pickle has the instruction ", fmt::format("0x{:02x}", op),
             ", which files of tensors have no use for: refused");
    }
  }
  void version(int protocol) {
    check(protocol >= 2 && protocol <= 5, p_.name_, ": pickle protocol ", protocol, "; 2 to 5 are read");
  }
  void set_pair() {
    const PickleItem *value = pop(), *key = pop();
    set_items({key, value});
  }
  void global_line() {
    const std::string module = line();
    push_global(module, line());
  }

  Pickle& p_;
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  Pickle::Items stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, const PickleItem*> memo_;
};

const PickleItem& Pickle::read(std::span<const std::uint8_t> bytes, std::size_t* used) {
  return PickleMachine(*this, bytes).run(used);
}

}  // namespace fovea
