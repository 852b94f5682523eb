--- Domains under which strangers have theirs ("com", "co.uk", "github.io"): no cookie is
-- for all of them. By the public suffix list (https://publicsuffix.org), Debian's package
-- publicsuffix.
--
-- The list is read when the first domain is asked for, and stays a text: the rules of a
-- top-level domain are looked for when the first domain in it is asked for. Nothing here
-- parks. Without the list, a name without dots is a public suffix, and so is an address.
-- @module green.http.suffix

local errors = require "green.error"

local addr = require "green.ffi.addr"
local ffi = require "ffi"
local unicode_host = require("green.url.object").unicode_host

-- Scripts may put their own in their places.
local find, gmatch, gsub, lower, match, sub = string.find, string.gmatch, string.gsub,
  string.lower, string.match, string.sub
local open, setmetatable = io.open, setmetatable

local PATH = "/usr/share/publicsuffix/public_suffix_list.dat"
local EAI_NONAME = errors.codes.EAI_NONAME

local methods = {}
local list_mt = { __index = methods }

local M = {}

-- -- The list -----------------------------------------------------------------

--- A list of rules in a file; one without rules where there is no file.
-- @tparam[opt] string path
function M.new(path)
  return setmetatable({
    _path = path or PATH,
    _text = nil, -- the file, between two line ends
    _rules = {}, -- top-level domain -> set of its rules
    _count = 0, -- of these
  }, list_mt)
end

--- "" where there is none, or it cannot be read.
local function read(path)
  local file = open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  if text and find(text, "\r", 1, true) then -- looked for first: 3 ms
    text = gsub(text, "\r", "")
  end
  return text and "\n" .. text .. "\n" or ""
end

--- The rules for what ends in a top-level domain, "!" and "*" as they stand there.
local function collect(text, top)
  local rules, at = {}, 1
  local ending = "." .. top .. "\n"
  if find(text, "\n" .. top .. "\n", 1, true) then
    rules[top] = true
  end
  while true do
    local from, to = find(text, ending, at, true)
    if not from then
      return rules
    end
    local start = from
    while sub(text, start - 1, start - 1) ~= "\n" do
      start = start - 1
    end
    rules[sub(text, start, to - 1)] = true -- a comment's line is no domain's
    at = to
  end
end

local MOST = 2000 -- top-level domains that are kept: there are 1,500

function methods:_rules_of(top)
  local rules = self._rules[top]
  if not rules then
    self._text = self._text or read(self._path)
    rules = collect(self._text, top)
    if self._count == MOST then -- somebody makes them up
      self._rules, self._count = {}, 0
    end
    self._rules[top], self._count = rules, self._count + 1
  end
  return rules
end

--- Is there a list?
function methods:is_there()
  self._text = self._text or read(self._path)
  return self._text ~= ""
end

-- -- Domains ------------------------------------------------------------------

local raw = ffi.new("green_addr")

--- A name with labels that are not empty, and no address, or what is read as one.
local function is_name(domain)
  return domain ~= "" and not find(domain, "^%.") and not find(domain, "..", 1, true)
    and addr.ip(raw, domain, #domain, 0) == EAI_NONAME
end

local function labels_of(domain)
  local labels, n = {}, 0
  for label in gmatch(domain, "[^.]+") do
    n = n + 1
    labels[n] = label
  end
  return labels, n
end

--- How many labels the public suffix of a name has. The list writes names as people do;
-- without libidn2 no rule is for those that are not ASCII.
function methods:_suffix_labels(domain)
  local labels, n = labels_of(unicode_host(domain))
  local rules = self:_rules_of(labels[n])
  local most, rest = 1, labels[n] -- "*" is the rule where there is no other
  for i = n - 1, 1, -1 do
    local name = labels[i] .. "." .. rest
    if rules["!" .. name] then
      return n - i
    elseif rules[name] or rules["*." .. rest] then
      most = n - i + 1
    end
    rest = name
  end
  return most
end

--- In lower case, without a dot at its end.
local function plain(domain)
  return lower(match(domain, "^(.-)%.?$"))
end

--- Do strangers have domains under this one? True for what is no domain, too.
-- @tparam string domain as DNS has it
-- @treturn boolean
function methods:is_public(domain)
  return self:registrable(domain) == nil
end

--- The part of a domain that one owner has: "example.co.uk" of "www.example.co.uk".
-- @tparam string domain as DNS has it
-- @treturn ?string nil: it is a public suffix, an address, or no domain
function methods:registrable(domain)
  local name = plain(domain)
  if not is_name(name) then
    return nil
  end
  local labels, n = labels_of(name)
  local first = n - self:_suffix_labels(name)
  if first < 1 then
    return nil
  end
  local result = labels[first]
  for i = first + 1, n do
    result = result .. "." .. labels[i]
  end
  return result
end

-- -- The system's -------------------------------------------------------------

local system = M.new()

--- As a list's is_public, by the system's list.
function M.is_public(domain)
  return system:is_public(domain)
end

--- As a list's registrable, by the system's list.
function M.registrable(domain)
  return system:registrable(domain)
end

return M
