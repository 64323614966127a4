#include "modules/plan/lower.hpp"

#include <type_traits>

namespace fovea::plan {
namespace {

template <class Kind, class Role>
constexpr bool kLowers = requires(Lowerer& l, Node& n, const Role& r) {
  Kind::lower(l, n, r);
};

// Calls the lower() of the kind of nodes that has one for the role.
template <class Role, class... Kinds>
bool lower_role(std::type_identity<std::variant<Kinds...>>, Lowerer& l, Node& n, const Role& r) {
  static_assert((kLowers<Kinds, Role> + ...) == 1, "one kind of nodes lowers each role");
  const auto attempt = [&]<class Kind>(std::type_identity<Kind>) {
    if constexpr (kLowers<Kind, Role>) return Kind::lower(l, n, r);
    else return false;
  };
  return (attempt(std::type_identity<Kinds>{}) || ...);
}

}  // namespace

bool Lowerer::planned(const Node& n, std::size_t input) const {
  return !constant(n, input) && graph.value(n.inputs[input]).planned;
}

void Lowerer::channels_last(Node& n) {
  for (Id& id : n.inputs) id = views.channels_last(id, nodes_);
}

bool Lowerer::on_row_major(Node& n, const std::function<bool(Node&)>& lower) {
  Node other = n;
  for (Id& id : other.inputs) id = views.row_major(id, nodes_);
  if (other.inputs == n.inputs || !lower(other)) return false;
  n = std::move(other);
  return true;
}

void Lowerer::add(Node n) {
  if (!std::holds_alternative<Eager>(n.work))
    for (const Id id : n.outputs)
      if (id >= 0) graph.value(id).planned = true;
  nodes_.push_back(std::move(n));
}

void Lowerer::run() {
  for (Node& n : graph.nodes) {
    const auto* eager = std::get_if<Eager>(&n.work);
    const Lowering role = eager ? eager->op->lower() : Lowering{};
    std::visit(
        [&]<class Role>(const Role& r) {
          if constexpr (!std::is_same_v<Role, std::monostate>) lower_role(std::type_identity<NodeWork>{}, *this, n, r);
        },
        role);
    add(std::move(n));
  }
  graph.nodes = std::move(nodes_);
}

void lower(Graph& g) { Lowerer(g).run(); }

}  // namespace fovea::plan
