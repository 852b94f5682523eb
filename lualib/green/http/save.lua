--- Bodies that go into a file, and on from where an earlier try stopped. Private to
-- green.http.
-- @module green.http.save

local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local options = require "green.args.options"
local reading = require "green.http.reading"
local thread = require "green.thread"

local ffi = require "ffi"
local files = require "green.ffi.file"

-- Scripts may put their own in their places.
local error, io_open, tonumber, xpcall = error, io.open, tonumber, xpcall

local EAGAIN, EINTR = core.codes.EAGAIN, core.codes.EINTR
local REGULAR = ffi.C.GREEN_FILE_REGULAR

local WHOLE = { [200] = true, [203] = true } -- answers with all of the body
local M = {}
local known = { resume = true }

--- The error of a function of io's.
local function io_failed(path, text, number)
  local err = errors.new(number and -number or "EIO", "save " .. path, text, { path = path })
  return nil, err
end

--- How long the file is; 0: there is none.
local function size_of(path)
  local file = io_open(path, "rb")
  local size = file and file:seek("end") or 0
  if file then
    file:close()
  end
  return size
end

-- -- The file -----------------------------------------------------------------

local function close(sink)
  local ok, why, number = true, nil, nil
  if sink.fd >= 0 then
    files.close(sink.fd)
    sink.fd = -1
  end
  if sink.file then
    ok, why, number = sink.file:close()
    sink.file = false
  end
  return ok, why, number
end

--- A file that is written at its end: by its number what comes without a string, by io's
-- functions the rest. nil, err.
local function open(path, is_new)
  local file, why, number
  if is_new and files.kind(path) == REGULAR then
    file, why, number = io_open(path, "wb")
    if not file then
      return io_failed(path, why, number)
    end
    file:close()
  end
  file, why, number = io_open(path, "ab")
  if not file then
    return io_failed(path, why, number)
  end
  file:setvbuf "no" -- pieces are long
  return { file = file, fd = files.append(path), path = path, _exit = close }
end

--- Write bytes. true; or nil, text, number of what is wrong.
local function put(sink, ptr, n)
  local done = sink.fd >= 0 and tonumber(files.write(sink.fd, ptr, n)) or 0
  if done == n then
    return true
  elseif done < 0 and done ~= EAGAIN and done ~= EINTR then
    return nil, nil, -done
  end
  done = done > 0 and done or 0
  return sink.file:write(ffi.string(ptr + done, n - done))
end

-- -- Writing ------------------------------------------------------------------

--- Write the next piece; all of a body that comes as it is, from where it was read. true:
-- there may be more; false: that was the end; nil, err of the body; or nil, nil and what is
-- wrong with the file. Parks.
local function write_piece(resp, sink)
  local done, why, number = true, nil, nil
  local ok, err = reading.pour(resp, function(ptr, n)
    done, why, number = put(sink, ptr, n)
    return done
  end)
  if not done then
    return nil, nil, why, number
  elseif not ok then
    return nil, err
  end
  local text
  text, err = reading.next(resp)
  if err then
    return nil, err
  elseif not text then
    return false
  end
  ok, why, number = sink.file:write(text)
  return ok and true or nil, nil, why, number
end

--- Write all that is left of a body. The file is closed. Parks.
-- @return true; or nil, err
local function write_rest(resp, sink)
  local more, err, why, number
  repeat
    more, err, why, number = write_piece(resp, sink)
  until not more
  local closed, problem, code = close(sink)
  if err then
    return nil, err
  elseif more == false and closed then
    return true
  elseif more == false then
    why, number = problem, code
  end
  reading.abort(resp)
  return io_failed(sink.path, why, number)
end

local function write_to(resp, path, is_new)
  local sink, err = open(path, is_new)
  if not sink then
    return nil, err
  end
  exits.hold(sink)
  local ok, done
  ok, done, err = xpcall(write_rest, thread.note_traceback, resp, sink)
  exits.release(sink)
  if not ok then
    close(sink)
    error(done, 0)
  end
  return done, err
end

--- What must not have changed since, for the rest to fit: If-Range (RFC 9110, 13.1.5).
local function validator_of(resp)
  local tag = resp.headers:get("etag")
  if tag and not tag:find("^W/") then
    return tag
  end
  return not tag and resp.headers:get("last-modified") or nil
end

--- Does the answer begin where the file ends?
local function fits(resp, size)
  local from = (resp.headers:get("content-range") or ""):match("^bytes (%d+)%-")
  return resp.status == 206 and tonumber(from) == size
end

--- Ask for what is behind that many bytes. A response; or nil, err. Parks.
local function ask_rest(resp, size)
  local given = { Range = ("bytes=%.0f-"):format(size), ["If-Range"] = validator_of(resp),
    ["Accept-Encoding"] = "identity" }
  local session = resp._req.session
  reading.abort(resp)
  return session._repeat(session, resp._req, given)
end

--- What is wrong with an answer that is not the rest.
local function no_rest(resp, path)
  local ok, err = resp:check()
  return not ok and err or errors.new("EPROTO", "save " .. path,
    "the server did not answer with the part that was asked for", { path = path, url = resp.url,
      status = resp.status })
end

--- Go on with a file that has a part of the body. Parks.
local function resume(resp, path, size)
  local length = tonumber(resp.headers:get("content-length"))
  if fits(resp, size) then
    return write_to(resp, path, false)
  elseif not WHOLE[resp.status] then
    reading.abort(resp)
    return nil, no_rest(resp, path)
  elseif not validator_of(resp) then
    return write_to(resp, path, true)
  elseif length == size and not resp.headers:get("content-encoding") then
    reading.abort(resp)
    return true
  end
  local rest, err = ask_rest(resp, size)
  if not rest then
    return nil, err
  elseif fits(rest, size) then
    return write_to(rest, path, false)
  elseif WHOLE[rest.status] then
    return write_to(rest, path, true)
  end
  reading.abort(rest)
  return nil, no_rest(rest, path)
end

--- Put the body into a file; see the response's save. Parks.
function M.save(resp, path, opts)
  args.type(path, "string", "save", "path")
  opts = options.check(opts, known, "save")
  args.optional(opts.resume, "boolean", "save", "resume")
  local size = opts.resume and resp.method == "GET" and size_of(path) or 0
  if opts.resume and not resp.ok then
    reading.abort(resp) -- what it says belongs into no file
    return resp:check()
  elseif size > 0 then
    return resume(resp, path, size)
  end
  return write_to(resp, path, true)
end

return M
