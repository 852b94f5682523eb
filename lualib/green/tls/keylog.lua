--- Files that get the secrets of TLS connections, and the word that is said of them.
--
-- The command `greenlua` sets `env` to what SSLKEYLOGFILE says; a host program and a
-- plain luajit do not listen to that.
-- @module green.tls.keylog

local core = require "green.core"

local told = {} -- path -> true

local M = { env = nil }

--- Warn on stderr, once for each file. Does not park.
function M.tell(path)
  if not told[path] then
    told[path] = true
    core.complain(("greenlua: the secrets of TLS connections are written to %s: who reads that "
      .. "file can read all that they carry\n"):format(path))
  end
end

return M
