"""One file of every recipe, at its public address."""

from __future__ import annotations

import gzip

from tests.world.files import tar_gz, zip_of

PROGRAM = b"#!/bin/sh\necho hello\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GITHUB = "https://github.com"
HEADERS = tar_gz({"node-v24.1.0/include/node/node.h": b"// node\n"})
CHROME = "https://storage.googleapis.com/chrome-for-testing-public/130.0.1"
PREBUILD = (
    f"{GITHUB}/WiseLibs/better-sqlite3/releases/download/v12.0.0/"
    "better-sqlite3-v12.0.0-node-v137-linux-x64.tar.gz"
)
ELECTRON = f"{GITHUB}/electron/electron/releases/download/v36.0.0/electron-v36.0.0-linux-x64.zip"
GRADLE = "https://services.gradle.org/distributions/gradle-8.10-bin.zip"
MAVEN = (
    "https://repo.maven.apache.org/maven2/org/apache/maven/apache-maven/3.9.9/"
    "apache-maven-3.9.9-bin.zip"
)
PYTHON = (
    f"{GITHUB}/astral-sh/python-build-standalone/releases/download/20241016/"
    "cpython-3.12.7%2B20241016-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
)

FILES: dict[str, bytes] = {
    "https://nodejs.org/download/release/v22.1.0/node-v22.1.0-headers.tar.gz": tar_gz(
        {
            "node-v22.1.0/include/node/node.h": b"// node\n",
            "node-v22.1.0/include/node/openssl/ssl.h": b"// ssl\n",
            "node-v22.1.0/README.md": b"read me\n",
        }
    ),
    "https://nodejs.org/download/release/v22.1.0/win-x64/node.lib": b"lib",
    "https://nodejs.org/notes.txt": b"a plain file\n",
    PREBUILD: b"prebuilt",
    f"{GITHUB}/lovell/sharp-libvips/releases/download/v8.14.5/libvips-8.14.5-linux-x64.tar.br": (
        b"libvips"
    ),
    ELECTRON: zip_of({"electron": PROGRAM}),
    "https://cdn.playwright.dev/dbazure/download/playwright/builds/chromium/1140/"
    "chromium-headless-shell-linux.zip": zip_of({"chrome-linux/headless_shell": PROGRAM}),
    "https://cdn.playwright.dev/dbazure/download/playwright/builds/ffmpeg/1011/"
    "ffmpeg-linux.zip": zip_of({"ffmpeg-linux": PROGRAM}),
    f"{CHROME}/linux64/chrome-linux64.zip": zip_of({"chrome-linux64/chrome": PROGRAM}),
    f"{CHROME}/linux64/chrome-headless-shell-linux64.zip": zip_of(
        {"chrome-headless-shell-linux64/chrome-headless-shell": PROGRAM}
    ),
    f"{CHROME}/linux64/chromedriver-linux64.zip": zip_of(
        {"chromedriver-linux64/LICENSE": b"-", "chromedriver-linux64/chromedriver": PROGRAM}
    ),
    "https://cdn.cypress.io/desktop/14.5.4/linux-x64/cypress.zip": zip_of(
        {"Cypress/Cypress": PROGRAM}
    ),
    f"https://binaries.prisma.sh/all_commits/{COMMIT}/debian-openssl-3.0.x/"
    "libquery_engine.so.node.gz": gzip.compress(b"engine", mtime=0),
    f"https://binaries.prisma.sh/all_commits/{COMMIT}/debian-openssl-3.0.x/"
    "schema-engine.gz": gzip.compress(PROGRAM, mtime=0),
    f"{GITHUB}/eugeneware/ffmpeg-static/releases/download/b6.0/ffmpeg-linux-x64.gz": (
        gzip.compress(PROGRAM, mtime=0)
    ),
    PYTHON: b"python",
    GRADLE: zip_of({"gradle-8.10/bin/gradle": PROGRAM}),
    MAVEN: zip_of({"apache-maven-3.9.9/bin/mvn": PROGRAM}),
}

TREE = {
    "extras/chromedriver/chromedriver": 0o755,
    "extras/cypress/14.5.4/Cypress/Cypress": 0o755,
    "extras/electron/ad19b0ca2284b4694c510be19fa6fb0edc857d005acb0aa9a584e244f99a3e4b/"
    "electron-v36.0.0-linux-x64.zip": 0o644,
    "extras/ffmpeg/ffmpeg": 0o755,
    "extras/files/notes.txt": 0o644,
    "extras/maven/wrapper/dists/apache-maven-3.9.9/3477a4f1/bin/mvn": 0o755,
    "extras/node-gyp/22.1.0/include/node/node.h": 0o644,
    "extras/node-gyp/22.1.0/include/node/openssl/ssl.h": 0o644,
    "extras/node-gyp/22.1.0/installVersion": 0o644,
    "extras/node-gyp/22.1.0/x64/node.lib": 0o644,
    "extras/playwright/chromium_headless_shell-1140/INSTALLATION_COMPLETE": 0o644,
    "extras/playwright/chromium_headless_shell-1140/chrome-linux/headless_shell": 0o755,
    "extras/playwright/ffmpeg-1011/INSTALLATION_COMPLETE": 0o644,
    "extras/playwright/ffmpeg-1011/ffmpeg-linux": 0o755,
    "extras/prisma/libquery_engine.node": 0o755,
    "extras/prisma/schema-engine": 0o755,
    "extras/puppeteer/chrome-headless-shell/linux-130.0.1/chrome-headless-shell-linux64/"
    "chrome-headless-shell": 0o755,
    "extras/puppeteer/chrome/linux-130.0.1/chrome-linux64/chrome": 0o755,
    "extras/uv-python/20241016/cpython-3.12.7+20241016-x86_64-unknown-linux-gnu-"
    "install_only_stripped.tar.gz": 0o644,
    "gradle/wrapper/dists/gradle-8.10-bin/deqhafrv1ntovfmgh0nh3npr9/gradle-8.10-bin.zip": 0o644,
    "npm/_libvips/libvips-8.14.5-linux-x64.tar.br": 0o644,
    "npm/_prebuilds/7cd347-better-sqlite3-v12.0.0-node-v137-linux-x64.tar.gz": 0o644,
}
"""Path to mode. The hashes in it are what the clients' own functions make of these addresses."""
