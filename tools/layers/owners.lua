-- owners.lua: who may see the headers of an outside library: one file for each.

local function words(text)
  local set = {}
  for word in text:gmatch("%S+") do set[word] = true end
  return set
end

-- { header, the file that owns it }: patterns, the first that fits counts.
local OWNERS = {
  { "^ev%.h$", "^greenc/hub/loop%.c$" },
  { "^openssl/evp%.h$", "^greenc/base/digest%.c$" },
  { "^openssl/", "^greenc/io/tls%.c$" },
  { "^ares", "^greenc/io/dns%.c$" },
  { "^zlib%.h$", "^greenc/proto/inflate%.c$" },
  { "^lua[%w]*%.h$", "^vm/" },
  { "^lauxlib%.h$", "^vm/" },
}

-- What comes with the compiler, libc and the kernel.
local SYSTEM = words [[
  assert.h ctype.h dirent.h dlfcn.h errno.h fcntl.h float.h getopt.h grp.h
  inttypes.h limits.h locale.h math.h netdb.h poll.h pthread.h pwd.h sched.h
  semaphore.h setjmp.h signal.h spawn.h stdarg.h stdatomic.h stdbool.h stddef.h
  stdint.h stdio.h stdlib.h string.h strings.h termios.h time.h unistd.h
  emmintrin.h arm_neon.h
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

return { refuses = refuses }
