--- URLs: taken apart, put together, resolved, coded (RFC 3986).
--
-- What is no URL is refused, and so is a host that other programs would read otherwise:
-- who checks an address and who connects to it mean the same.
-- @module green.url

local args = require "green.args"
local builder = require "green.url.build"
local errors = require "green.error"
local escaping = require "green.url.escape"
local lenient = require "green.url.lenient"
local object = require "green.url.object"
local options = require "green.args.options"
local queries = require "green.url.query"
local reading = require "green.url.read"
local resolving = require "green.url.resolve"

local read, RELATIVE, GENERIC = reading.read, reading.RELATIVE, reading.GENERIC

local M = {}

local of_parse = { relative = false, lenient = false }
local of_join = { lenient = false }

local function check(opts, known, where)
  options.check(opts, known, where)
  args.optional(opts.relative, "boolean", where, "relative")
  args.optional(opts.lenient, "boolean", where, "lenient")
end

--- Take a URL apart. Does not park.
--
-- The result has the fields `scheme` (lower case), `userinfo` (as it stands there), `user`
-- and `password` (decoded), `host` (lower case, without the brackets of IPv6), `unicode_host`
-- (for people), `port` (a number), `path` (never nil), `query`, `fragment`, `authority`, and
-- `origin`: scheme, host and port where it is not the scheme's own. What is not there is nil;
-- an empty query or fragment is "". tostring gives the text.
-- @tparam string text
-- @tparam[opt] table opts `relative`: without a scheme, too; `lenient`: take what browsers take
-- (blanks, "\\", bytes that are not ASCII, "http:host"), but for hosts
-- @return the URL; or nil, err: EINVAL with `at`, the byte where it is wrong; ENOLIBRARY:
-- the host is not ASCII and there is no libidn2
function M.parse(text, opts)
  if type(text) ~= "string" then
    args.wrong("url.parse", "text", "a string", text)
  end
  if not opts then
    return read(text, 0, "url.parse")
  end
  check(opts, of_parse, "url.parse")
  if opts.lenient then
    text = lenient.fix(text)
  end
  return read(text, opts.relative and RELATIVE or 0, "url.parse")
end

--- A URL, or what the text of one gives when fix has put it right.
local function url_of(value, flags, where, name, fix, base_scheme)
  if object.is(value) then
    return value
  elseif type(value) ~= "string" then
    args.wrong(where, name, "a URL or the text of one", value)
  end
  return read(fix and fix(value, base_scheme) or value, flags, where)
end

--- What a reference means at a base (RFC 3986, 5). Does not park.
-- @param base a URL with a scheme, or its text
-- @param ref a URL or a text, which may be relative. "http:g" has no host, whatever base is
-- @tparam[opt] table opts `lenient`: as for url.parse; "http:g" is "g" then
-- @return the URL; or nil, err: EINVAL, ENOLIBRARY as url.parse
function M.join(base, ref, opts)
  local fix
  if opts then
    check(opts, of_join, "url.join")
    fix = opts.lenient and lenient.fix
  end
  local from, err = url_of(base, 0, "url.join", "base", fix)
  if not from then
    return nil, err
  elseif not from.scheme then
    return nil, errors.new("EINVAL", "url.join", "the base must have a scheme, such as http:")
  end
  local flags = fix and RELATIVE or GENERIC + RELATIVE
  local to
  to, err = url_of(ref, flags, "url.join", "ref", fix, from.scheme)
  if not to then
    return nil, err
  end
  return resolving.resolve(from, to)
end

--- The same text for URLs that mean the same (RFC 3986, 6.2): no "." and "..", no port that
-- is the scheme's own, no "%7E" for "~", "/" for no path. Does not park.
-- @param u a URL, or its text
-- @return the URL; or nil, err: EINVAL, ENOLIBRARY as url.parse
function M.normalise(u)
  local from, err = url_of(u, 0, "url.normalise", "u")
  if not from then
    return nil, err
  end
  return resolving.normalise(from)
end

--- A URL from parts: the fields of url.parse. `user` and `password` are coded here, as are
-- `segments`, a list that stands for path, and a table for `query` (see url.query); all else
-- stands there as it is in a URL. Does not park.
-- @tparam table parts
-- @return the URL; or nil, err: EINVAL, ENOLIBRARY as url.parse, and EINVAL for parts that
-- would be read as others
function M.build(parts)
  args.type(parts, "table", "url.build", "parts")
  return builder.build(parts, "url.build")
end

--- Write bytes as %41 (RFC 3986, 2.1). Does not park.
-- @tparam string text
-- @tparam[opt="segment"] string component where it is to stand: "segment" of a path (good
-- everywhere), "path" (keeps "/"), "query" (a name or a value), "fragment", or "form", where
-- a blank is "+"
-- @treturn string
function M.escape(text, component)
  args.type(text, "string", "url.escape", "text")
  return escaping.escape(text, args.optional(component, "string", "url.escape", "component"))
end

--- Read what url.escape has written. Does not park.
-- @tparam string text
-- @tparam[opt] string component as for url.escape: "form" takes "+" for a blank
-- @treturn string; or nil, err: EINVAL with `at` (a "%" without two hexadecimal digits)
function M.unescape(text, component)
  args.type(text, "string", "url.unescape", "text")
  return escaping.unescape(text, args.optional(component, "string", "url.unescape", "component"))
end

--- Names and values as a query or a form (application/x-www-form-urlencoded). Does not park.
-- @tparam table params a list of { name, value }, in that order; or a table of name = value,
-- in order of names, where value may be a list. Values are strings, numbers, true or false
-- @treturn string "a=1&b=x+y"
function M.query(params)
  args.type(params, "table", "url.query", "params")
  return queries.write(params)
end

--- Read a query or a form. Does not park.
-- @tparam string text
-- @treturn table a list of { name, value } as they stand there, repeats too. Its method
-- `get(name)` gives the first value of a name, `get_all(name)` a list of all. nil, err: EINVAL
function M.parse_query(text)
  args.type(text, "string", "url.parse_query", "text")
  return queries.parse(text)
end

object.seal()

return M
