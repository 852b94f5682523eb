-- A handler that did not catch the error of its input, as one that goes through
-- input:chunks() does not, made a 500 and a traceback in the error log out of each upload
-- that was too large: anybody could fill the log.

local green = require "green"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = require("green.testing").busted()

local with = kit.with
local HEAD = "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

--- What assert does; the one of specs makes a text of the error.
local function raise_or(value, err)
  if not value then
    error(err, 0)
  end
end

local readers = {
  ["/chunks"] = function(input) for _ in input:chunks() do end end,
  ["/lines"] = function(input) for _ in input:lines() do end end,
  ["/raise"] = function(input) raise_or(input:read()) end,
  ["/thread"] = function(input)
    green.spawn(function() raise_or(input:read()) end):wait()
  end,
}

local function app(env)
  readers[env.PATH_INFO](env.input)
  return 200, nil, "read"
end

describe("a body that cannot be read", function()
  for path in pairs(readers) do
    it("is the client's fault where its handler does not catch the error: " .. path, function()
      local log = {}
      local opts = { max_body = 5, body_timeout = 0.05, error_log = function(line)
        log[#log + 1] = line
      end }
      with(app, opts, function(client)
        local function status_of(rest)
          local status, headers = kit.parse(client:raw(HEAD:format(path) .. rest))
          assert.equal("close", headers.connection)
          return status
        end
        assert.equal(413, status_of "9\r\n123456789\r\n0\r\n\r\n")
        assert.equal(400, status_of "x\r\n")
        assert.equal(408, status_of "5\r\n123")
        local last = HEAD:format(path):gsub("Host", "Connection: close\r\nHost")
        local _, _, body = kit.parse(client:raw(last .. "3\r\nabc\r\n0\r\n\r\n"))
        assert.equal("read", body)
      end)
      assert.falsy(table.concat(log):find("Traceback", 1, true) or
        table.concat(log):find("raised", 1, true), table.concat(log))
    end)
  end
end)
