--- The public keys of a folder of certificates, as they are now: files come, go and change.
-- @module green.zmq.auth_store

local certificates = require "green.zmq.certificate"
local core = require "green.core"
local fs = require "green.fs"

local format, ipairs, setmetatable = string.format, ipairs, setmetatable

local PAUSE = 1 -- seconds that what was seen counts for

local methods = {}
local mt = { __index = methods }

--- Look again. A file that is no certificate lets nobody in; nor does a folder that has gone. true;
-- or nil, err. Parks.
function methods:look()
  self._looked = core.now()
  local paths, err = certificates.public_files(self.folder)
  local files, keys = {}, {}
  for _, path in ipairs(paths or {}) do
    local st = fs.stat(path)
    if st and st.type == "file" then
      local stamp = format("%.9f %d %d", st.mtime, st.size, st.ino)
      local known = self._files[path]
      local key = known and known.stamp == stamp and known.key
        or certificates.load_certificate(path) or nil
      files[path] = { stamp = stamp, key = key }
      if key then
        keys[key] = true
      end
    end
  end
  self._files, self._keys = files, keys
  return paths and true, err
end

--- Is it time to look again?
function methods:is_old()
  return core.now() - self._looked >= PAUSE
end

--- Is that key (Z85) there? Parks where it is time to look again.
function methods:has(key)
  if self:is_old() then
    self:look()
  end
  return self._keys[key] == true
end

--- A store of a folder, which has been looked at. nil, err: the folder cannot be read, or a file
-- in it is no certificate. Parks.
local function new(folder)
  local ok, err = certificates.load_certificates(folder)
  if not ok then
    return nil, err
  end
  local self = setmetatable({ folder = folder, _files = {}, _keys = {}, _looked = 0 }, mt)
  ok, err = self:look()
  if not ok then
    return nil, err
  end
  return self
end

return { new = new }
