-- owners.lua: what one file alone may do: see the headers of an outside library, or call
-- what makes coroutines and tasks go on and stop.

local function words(text)
  local set = {}
  for word in text:gmatch("%S+") do set[word] = true end
  return set
end

-- { header, the file that owns it }: patterns, the first that fits counts.
local OWNERS = {
  { "^ev%.h$", "^greenc/hub/loop%.c$" },
  { "^openssl/", "^greenc/io/tls_priv%.h$" },
  { "^ares", "^greenc/io/dns_priv%.h$" },
  { "^zlib%.h$", "^greenc/proto/inflate%.c$" },
  { "^lua[%w]*%.h$", "^vm/" },
  { "^lauxlib%.h$", "^vm/" },
  { "^malloc%.h$", "^vm/cmd/main%.c$" }, -- how the heap behaves is the program's to say
  { "^sanitizer/tsan", "^greenc/base/robust%.c$" }, -- a lock that it does not know
  { "^sanitizer/", "^vm/blocks%.c$" }, -- LuaJIT's memory is none that a sanitizer knows
}

-- { function, the file that alone calls it } in vm; greenc's own files may, too.
local CALLERS = {
  { "^lua_resume$", "vm/bridge.c" },
  { "^lua_yield$", "vm/bridge.c" },
  { "^green_task_park$", "vm/bridge.c" },
  { "^green_task_yield", "vm/bridge.c" },
  { "^green_fd_park$", "vm/bridge.c" },
  { "^green_fd_watch$", "vm/bridge.c" },
  { "^green_hub_run$", "vm/bridge.c" },
}

-- What comes with the compiler, libc and the kernel.
local SYSTEM = words [[
  assert.h ctype.h dirent.h dlfcn.h errno.h fcntl.h float.h getopt.h grp.h
  inttypes.h limits.h locale.h math.h netdb.h poll.h pthread.h pwd.h sched.h
  semaphore.h setjmp.h signal.h spawn.h stdarg.h stdatomic.h stdbool.h stddef.h
  stdint.h stdio.h stdlib.h string.h strings.h termios.h time.h unistd.h
  cpuid.h emmintrin.h endian.h immintrin.h arm_neon.h
]]
local SYSTEM_FOLDERS = words "sys netinet arpa net linux"

--- Why that file may not include <name>, or nil.
local function refuses(path, name)
  for _, owner in ipairs(OWNERS) do
    if name:find(owner[1]) then
      return not path:find(owner[2]) and "is not for this file" or nil
    end
  end
  if SYSTEM[name] or SYSTEM_FOLDERS[name:match("^[^/]+")] then return end
  return "belongs to no file (tools/layers/owners.lua)"
end

--- The one file of vm that may call that, where path is another; or nil.
local function refuses_call(path, symbol)
  if not path:find("^vm/") then return end
  for _, caller in ipairs(CALLERS) do
    if symbol:find(caller[1]) and path ~= caller[2] then return caller[2] end
  end
end

return { refuses = refuses, refuses_call = refuses_call }
