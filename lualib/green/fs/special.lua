--- What fs.open opens that is no file: FIFOs, terminals and devices that are waited for in the
-- loop. Private to green.fs.
-- @module green.fs.special

local job = require "green.fs.job"
local pipe = require "green.pipe"

local desc_api = require "green.ffi.desc"
local file_api = require "green.ffi.file"
local pipe_api = require "green.ffi.pipe"

local M = {}

--- A green.pipe of a descriptor (job.take_desc).
-- @return the stream; or nil, err
function M.wrap(desc, path, reads, writes)
  local fd = desc_api.detach(desc)
  if fd < 0 then
    return job.failure(fd, "open", path)
  end
  local stream, err = pipe.from_fd(fd, reads and writes and "rw" or writes and "w" or "r")
  if not stream then
    file_api.close(fd)
    err.path = path
    return nil, err
  end
  pipe_api.await(stream._p)
  return stream
end

return M
