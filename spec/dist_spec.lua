-- `make dist`: a release is a tarball and its SHA-256, and nothing else is needed. The
-- tarball is of HEAD, whatever has been changed in the tree since; it is unpacked and
-- built in a folder of its own, in the environment of somebody who has nothing of ours.

local program = require "spec.support.program"
local tree = require "spec.support.tree"

local CC = os.getenv "CC" or "cc"
local BUILD_SECONDS = 600 -- only a failing spec waits so long

--- Quoted for a shell.
local function q(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- What a program said, once it has ended well.
local function said(words)
  words.patience = BUILD_SECONDS
  local r = program.run(words)
  local line = table.concat(words, " ")
  assert(r.status == 0, ("%s\n%s\n%s"):format(line, r.out:sub(-4000), r.err:sub(-4000)))
  return r.out
end

--- Run a line of shell in a folder, with nothing in the environment but a PATH, and
-- where somebody who has things in places of his own says that they are.
local function sh(folder, line, path)
  return said { "env", "-i", "PATH=" .. (path or os.getenv "PATH"), "LC_ALL=C",
    "PKG_CONFIG_PATH=" .. (os.getenv "PKG_CONFIG_PATH" or ""),
    "sh", "-ec", ("cd %s\n%s"):format(q(folder), line) }
end

local function here()
  return (program.run { "pwd" }.out:gsub("\n$", ""))
end

--- A path that holds in every folder.
local function absolute(path)
  return path:sub(1, 1) == "/" and path or here() .. "/" .. path
end

--- Words for make: the compiler and the LuaJIT that this suite was built with.
local function make_words()
  local luajit = os.getenv "LUAJIT" or ""
  return "CC=" .. q(CC) .. (luajit == "" and "" or " LUAJIT=" .. q(absolute(luajit)))
end

--- Why there can be no tarball here, or none is wanted; nil.
local function obstacle()
  if program.is_sanitized then
    return "the tarball is built without sanitizers: the release kind's run has seen it"
  end
  local r = program.run { "git", "rev-parse", "--show-prefix", "--verify", "HEAD" }
  if r.status ~= 0 or r.out:match("^[^\n]*") ~= "" then
    return "not the top of a git checkout: " .. (r.err .. r.out):match("^[^\n]*")
  end
end

-- -- The tarball, unpacked and installed --------------------------------------

local root, archive, name, why

--- `make dist` into a folder below root. Returns what lies there then, in order. git may
-- need the environment as it is; the make around this suite must not be heard.
local function dist(folder)
  said { "make", "-s", "dist", "BUILD=" .. root .. "/" .. folder,
    env = { MAKEFLAGS = false, MFLAGS = false, MAKELEVEL = false } }
  local files = {}
  for line in sh(root .. "/" .. folder, "ls"):gmatch("[^\n]+") do files[#files + 1] = line end
  return files
end

local function unpack_archive()
  root = os.tmpname()
  os.remove(root)
  sh("/", "mkdir " .. q(root))
  local files = dist("first")
  assert.equal(2, #files, table.concat(files, " "))
  archive = files[1]
  name = assert(archive:match("^(greenlua%-.+)%.tar%.gz$"), archive)
  assert.equal(archive .. ".sha256", files[2])
  sh(root, ("tar xzf first/%s && mv %s unpacked"):format(q(archive), q(name)))
end

--- Build in the unpacked tree and install; what was unpacked goes, but for the examples.
-- There is a git on the way that leaves a word when it is called.
local function install()
  sh(root, [[mkdir bin
    printf '#!/bin/sh\necho "$@" >>%s/git-called\nexit 1\n' "$PWD" >bin/git
    chmod +x bin/git]])
  sh(root .. "/unpacked", ("make -s -j\"$(nproc)\" install PREFIX=%s %s"):format(
    q(root .. "/installed"), make_words()), root .. "/bin:" .. os.getenv "PATH")
  assert.is_nil(tree.read(root .. "/git-called"))
  sh(root, "mv unpacked/examples . && rm -r unpacked")
end

local is_installed

--- For each of the specs: the folder, once all is done.
local function installed()
  if not is_installed then
    install()
    is_installed = true
  end
  return root .. "/installed"
end

local function greenlua(...)
  local words = { "env", "-i", "PATH=" .. os.getenv "PATH", installed() .. "/bin/greenlua", ... }
  return program.start(words)
end

--- What an example that serves says to curl. The words behind are its own, if it takes others.
local function ask(example, path, ...)
  local words = ... and { ... } or { "127.0.0.1:0" }
  local server = greenlua(root .. "/examples/" .. example, unpack(words))
  server:expect("serving on ")
  local url = server:expect("\n")
  local answer = program.run { "curl", "-fsS", "--max-time", "20", url:gsub("/$", "") .. path }
  server:kill(program.TERM)
  assert.equal(0, server:wait().status, server.err)
  assert.equal(0, answer.status, answer.err)
  return answer.out
end

-- -- What examples open -------------------------------------------------------

-- Calls whose first argument is the name of a file.
local OPENERS = { "io.open", "io.lines", "io.input", "dofile", "loadfile" }

-- The calls with a name that is put together when the example runs. What they open has
-- to be looked at below, by running it.
local COMPUTED = {
  ['examples/web.lua: io.open(FOLDER .. "/" .. name, "rb")'] = true,
  ['examples/download.lua: io.open(path, "wb")'] = true, -- it makes the file
  ["examples/dns_server.lua: io.open(file)"] = true, -- zones that somebody has, else its own
  ['examples/dns_server.lua: dofile(FOLDER .. "/dns_server/zones.lua")'] = true,
  ["examples/webhook.lua: io.lines()"] = true, -- standard input
  ["examples/websocket/client.lua: io.lines()"] = true,
  ["examples/zmq/clone.lua: io.lines()"] = true,
  ['examples/chat/chat.lua: dofile(FOLDER .. "/room.lua")'] = true,
  ['examples/chat/chat.lua: io.open(FOLDER .. "/" .. name, "rb")'] = true,
  ['examples/websocket/dashboard/dashboard.lua: io.open(FOLDER .. "/" .. name, "rb")'] = true,
  ['examples/chat/room.lua: dofile(FOLDER .. "/checks.lua")'] = true,
  ['examples/chat/room.lua: dofile(FOLDER .. "/hubs.lua")'] = true,
  ['examples/chat/room.lua: dofile(FOLDER .. "/ops.lua")'] = true,
  ['examples/chat/ops.lua: dofile(FOLDER .. "/checks.lua")'] = true,
  ['examples/tail.lua: dofile(FOLDER .. "follower.lua")'] = true,
  ['examples/terminal.lua: io.open(path, "rb")'] = true,
  -- What the command line names.
  ["examples/build.lua: io.open(path)"] = true,
  ['examples/sha256sums.lua: io.open(path == "-" and "/dev/stdin" or path, "rb")'] = true,
  ['examples/sha256sums.lua: io.open(name == "-" and "/dev/stdin" or name)'] = true,
}

-- Modules that examples require when there are any, of packages that are not ours.
local FOREIGN = { ["wsapi.common"] = true }

--- The arguments of each call of fn in a text, parentheses or quotes among them.
local function calls(text, fn)
  local pattern = "%f[%w_.]" .. fn:gsub("%.", "%%.")
  local found = {}
  for call in text:gmatch(pattern .. "%s*(%b())") do found[#found + 1] = call end
  for call in text:gmatch(pattern .. "%s*(%b\"\")") do found[#found + 1] = call end
  return found
end

--- A module of ours: one of these files has it.
local function has_module(files, module)
  local path = "lualib/" .. module:gsub("%.", "/")
  return files[path .. ".lua"] or files[path .. "/init.lua"]
end

local function missing_lua(files, path, text, tell)
  for _, fn in ipairs(OPENERS) do
    for _, call in ipairs(calls(text, fn)) do
      local file = call:match("^%(?%s*\"([^\"]+)\"%s*[,)]?")
      if not file and not COMPUTED[("%s: %s%s"):format(path, fn, call)] then
        tell("%s: which file is it? %s%s", path, fn, call)
      elseif file and file:sub(1, 1) ~= "/" and not files[file] then -- else it is the system's
        tell("%s: no %s", path, file)
      end
    end
  end
  for _, call in ipairs(calls(text, "require")) do
    local module = call:match("\"([^\"]+)\"")
    if not FOREIGN[module] and not has_module(files, module) then
      tell("%s: no module %s", path, module)
    end
  end
  for example in text:gmatch("greenlua (examples/[%w_/]+%.%w+)") do -- how it is run
    if not files[example] then tell("%s: no %s", path, example) end
  end
end

--- An include of ours stands as it will when it is installed; a system's is none of ours.
local function missing_c(files, path, text, tell)
  for mark, header in text:gmatch('#include ([<"])([^>"]+)') do
    if mark == '"' and not files["greenc/" .. header]
      or header:find("^green") and not files["vm/" .. header] and mark == "<" then
      tell("%s: no %s", path, header)
    end
  end
end

--- What examples (path -> text) open and is not among files (path -> true): lines.
local function missing(files, examples)
  local lines = {}
  local function tell(...)
    lines[#lines + 1] = string.format(...)
  end
  for path, text in pairs(examples) do
    local look = path:find("%.lua$") and missing_lua or missing_c
    look(files, path, text, tell)
  end
  table.sort(lines)
  return lines
end

--- The files that the tarball has, and the texts of the examples among them.
local function listing()
  local files, examples = {}, {}
  local paths = sh(root .. "/first", ("tar tzf %s"):format(q(archive)))
  for path in paths:gmatch("[^\n]+") do
    files[path:sub(#name + 2)] = path:sub(-1) ~= "/" or nil
  end
  for path in pairs(files) do
    if path:find("^examples/") then
      examples[path] = sh(root .. "/first", ("tar xzOf %s %s"):format(
        q(archive), q(name .. "/" .. path)))
    end
  end
  return files, examples
end

-- -- The specs ----------------------------------------------------------------

describe("a release", function()
  setup(function()
    why = obstacle()
    if not why then unpack_archive() end
  end)

  teardown(function()
    if root then program.run { "rm", "-rf", root } end
  end)

  local function check(title, fn)
    it(title, function()
      if why then return pending(why) end
      fn()
    end)
  end

  check("is a tarball with its SHA-256 [S13]", function()
    assert.equal(archive .. ": OK\n",
      sh(root .. "/first", ("sha256sum -c %s.sha256"):format(q(archive))))
    sh(root, ("cp -r first spoilt && printf x >>spoilt/%s"):format(q(archive)))
    local r = program.run { "sh", "-c", ("cd %s/spoilt && sha256sum -c *.sha256"):format(q(root)) }
    assert.equal(1, r.status)
  end)

  check("has the same bytes each time", function()
    local files = dist("second")
    assert.same({ archive, archive .. ".sha256" }, files)
    sh(root, "diff -r first second")
  end)

  check("needs no checkout and no git: what is installed from it works [S13]", function()
    local r = greenlua("-e", [[
      local green = require "green"
      print(green.spawn(function() green.sleep(0.001) return _VERSION end):wait())]]):wait()
    assert.same({ 0, "Lua 5.1\n", "" }, { r.status, r.out, r.err })
    assert.equal("hello, ann\n", ask("web.lua", "/hello/ann"))
  end)

  check("has what a host in C includes and links [S13]", function()
    local prefix = installed()
    local out = sh(root, ([[export PKG_CONFIG_PATH=%s/lib/pkgconfig:$PKG_CONFIG_PATH
      %s -o core examples/embed/core.c $(pkg-config --cflags --libs greenc)
      LD_LIBRARY_PATH=%s/lib ./core]]):format(q(prefix), CC, q(prefix)))
    assert.equal("1 ends\n3 ends\n2 ends\n", out)
  end)

  check("has every file that an example opens [S39]", function()
    local files, examples = listing()
    assert.truthy(files["examples/web.lua"] and files["lualib/green/init.lua"])
    assert.same({}, missing(files, examples))
    installed() -- now run those that open something
    assert.equal(examples["examples/web.lua"], ask("web.lua", "/files/web.lua"))
    assert.equal(examples["examples/chat/chat.js"], ask("chat/chat.lua", "/chat.js"))
    assert.equal(examples["examples/websocket/dashboard/index.html"],
      ask("websocket/dashboard/dashboard.lua", "/"))
    assert.equal(examples["examples/tail/tail.js"], ask("tail.lua", "/tail.js", "--port", "0", "x"))
    assert.equal(examples["examples/terminal/index.html"], ask("terminal.lua", "/", "--port", "0"))
    local r = greenlua("-e", ("print(dofile(%q).types.AAAA)"):format(
      root .. "/examples/dns_server.lua")):wait()
    assert.same({ 0, "28\n" }, { r.status, r.out }, r.err)
  end)

  it("would be told of a file that is not there", function()
    local files = { ["examples/a.txt"] = true, ["lualib/green/queue.lua"] = true }
    assert.same({
      'x.lua: no examples/b.txt',
      'x.lua: no examples/c.lua',
      'x.lua: no examples/gone.lua',
      'x.lua: no module green.gone',
      'x.lua: which file is it? io.lines(arg[1])',
      'y.c: no greenlua.h',
      'y.c: no hub/gone.h',
    }, missing(files, {
      ["x.lua"] = '-- greenlua examples/gone.lua\nio.open("examples/a.txt", "rb")\n'
        .. 'io.open("examples/b.txt")\ndofile "examples/c.lua"\nio.lines(arg[1])\n'
        .. 'require "green.queue"\nrequire("green.gone")\n',
      ["y.c"] = '#include <greenlua.h>\n#include "hub/gone.h"\n#include <stdio.h>\n',
    }))
  end)
end)
