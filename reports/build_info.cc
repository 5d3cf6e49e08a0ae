#include "reports/build_info.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/build_id_generated.h"

namespace highwater::reports {
namespace {

BuildInfo Make() {
  BuildInfo build;
  std::string_view id = kGeneratedBuildId;
  constexpr std::string_view kDirty = "-dirty";
  build.clean = !id.ends_with(kDirty) && id != "unknown";
  if (id.ends_with(kDirty)) id.remove_suffix(kDirty.size());
  build.id = std::string(id);
#if defined(__clang__)
  build.compiler =
      fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  build.compiler = fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
  build.type = kGeneratedBuildType;
  std::transform(build.type.begin(), build.type.end(), build.type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return build;
}

}  // namespace

const BuildInfo& ThisBuild() {
  static const BuildInfo build = Make();
  return build;
}

std::string DescribeBuild(const BuildInfo& build) {
  return fmt::format("{} ({}, {}, {})", build.id, build.clean ? "clean" : "modified",
                     build.compiler, build.type);
}

}  // namespace highwater::reports
