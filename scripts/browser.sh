#!/bin/sh
# Install Debian's Chromium, which the page's tests drive, where it is absent and may be installed.
# Without it those tests skip and say so; that is no reason to fail.
set -u

if command -v chromium >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo 'No chromium here, and it cannot be installed (not root, or no apt-get): the tests of the page will be skipped.'
  exit 0
fi
echo "Installing Debian's chromium for the tests of the page"
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null; then
  echo 'It could not be installed: the tests of the page will be skipped.'
fi
exit 0
