#!/usr/bin/env bash
# A Vulkan driver that needs no GPU and no root, for the tests of the webgpu engine: SwiftShader and a Vulkan loader
# out of Debian's chromium-common (32 MB to download, 27 MB kept in .cache/vulkan). Prints the settings that make Dawn
# find it:
#
#     eval "$(scripts/software-vulkan.sh)" && npm run parity -- --engine webgpu
#
# Prints one line on stderr and exits 1 where it cannot (not Debian, no network).
set -euo pipefail
folder="$(cd "$(dirname "$0")/.." && pwd)/.cache/vulkan"

if [ ! -f "$folder/vk_swiftshader_icd.json" ]; then
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "no software Vulkan: apt-get and dpkg-deb are needed to fetch one" >&2
    exit 1
  }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"
  fetch() { (cd "$work" && timeout 120 apt-get download chromium-common) >"$work/log" 2>&1; }
  fetch || { timeout 120 apt-get update >/dev/null 2>&1 && fetch; } || {
    echo "no software Vulkan: apt-get download chromium-common: $(tail -n 1 "$work/log")" >&2
    exit 1
  }
  dpkg-deb -x "$work"/chromium-common_*.deb "$work"
  mkdir -p "$folder"
  cp "$work"/usr/lib/chromium/{libvulkan.so.1,libvk_swiftshader.so,vk_swiftshader_icd.json} "$folder"
fi

echo "export VK_DRIVER_FILES='$folder/vk_swiftshader_icd.json' VK_ICD_FILENAMES='$folder/vk_swiftshader_icd.json'"
echo "export LD_LIBRARY_PATH='$folder'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
