-- Whatever the library calls through the FFI is there under that name: what no other spec
-- comes by would be a typing error until somebody needs it.

local testing = require "green.testing"

local _, it = testing.busted()

--- Without comments and what stands in quotes.
local function code_of(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  text = text:gsub('(require )"(green%.ffi%.[%w_]+)"', "%1<%2>")
  text = text:gsub('"[^"\n]*"', '""'):gsub("%-%-[^\n]*", "")
  return text
end

--- What a file calls of modules of green.ffi: module, name, and so on.
local function each_call(text, fn)
  for variable, module in text:gmatch("local ([%w_]+) = require <(green%.ffi%.[%w_]+)>") do
    for name in text:gmatch("%f[%w_.]" .. variable .. "%.([%a_][%w_]*)%s*%(") do
      fn(module, name)
    end
  end
end

local function is_there(module, name)
  local ok, value = pcall(function() return require(module)[name] end)
  return ok and value ~= nil
end

describe("green.ffi", function()
  it("has what the library calls", function()
    local pipe = assert(io.popen("find lualib -name '*.lua'"))
    local wrong, n = {}, 0
    for path in pipe:lines() do
      each_call(code_of(path), function(module, name)
        n = n + 1
        if not is_there(module, name) then
          wrong[#wrong + 1] = ("%s: no %s.%s"):format(path, module, name)
        end
      end)
    end
    pipe:close()
    assert.same({}, wrong)
    assert.is_true(n > 200)
  end)

  it("would be missed", function()
    assert.is_true(is_there("green.ffi.resolv", "search"))
    assert.is_false(is_there("green.ffi.resolv", "search_"))
  end)
end)
