rockspec_format = "3.0"
package = "greenlua"
version = "scm-1"

-- `luarocks make` builds the checkout it stands in and fetches nothing.
source = {
  url = "git+file://.",
}

description = {
  summary = "Green threads and green sockets for LuaJIT",
  detailed = [[
    Write network servers and clients as plain, synchronous-looking Lua; a C
    scheduler runs a million of them at once. This is the library for any
    LuaJIT 2.1; PUC Lua cannot run it.
  ]],
  license = "MIT",
}

-- The interpreter is LuaJIT, which LuaRocks calls 5.1.
dependencies = {
  "lua == 5.1",
}

-- Needed at build time: a C compiler, GNU make, pkg-config, LuaJIT's headers
-- (asked of pkg-config: LUA_INCDIR names those of PUC Lua), libev's, OpenSSL's,
-- c-ares' and zlib's. Opened at run time where they are first used: libssl3 (TLS), libc-ares2
-- (names), zlib1g (gzip and deflate), libbrotli1 (br), libzmq5 (ZeroMQ).
build = {
  type = "make",
  build_target = "build-rock",
  install_target = "install-rock",
  variables = {},
  build_variables = {},
  install_variables = {
    LUADIR = "$(LUADIR)",
    LUALIBDIR = "$(LIBDIR)",
  },
}
