--- Certificates of CURVE in files, as pyzmq and czmq write and read them: name.key has a public
-- key and name.key_secret both halves, each with lines of metadata.
-- @module green.zmq.certificate

local args = require "green.args"
local errors = require "green.error"
local fs = require "green.fs"
local keys = require "green.zmq.key"

local concat, sort, format, date = table.concat, table.sort, string.format, os.date
local ipairs, pairs, type = ipairs, pairs, type

local MOST = 65536 -- bytes of a file that is a certificate

local M = {}

-- -- Reading ------------------------------------------------------------------

local function unquoted(text)
  return text:match("^%s*(.-)%s*$"):match("^[\"']?(.-)[\"']?$")
end

--- What stands in a certificate: the lines under "metadata", and those of the key.
local function parse(text)
  local found, metadata, section = {}, {}, nil
  for line in text:gmatch("[^\r\n]+") do
    local indent, body = line:match("^(%s*)(.-)%s*$")
    local name, value = body:match("^([^=%s]+)%s*=%s*(.*)$")
    local says = body ~= "" and body:sub(1, 1) ~= "#"
    if says and name then
      local into = section == "metadata" and metadata or found
      into[name] = unquoted(value)
    elseif says and indent == "" then
      section = body
    end
  end
  return found["public-key"], found["secret-key"], metadata
end

local function invalid(path, why)
  return nil, errors.new("EKEYINVALID", "load_certificate", format("%s: %s", path, why),
    { path = path })
end

--- The keys of a certificate in a file. Parks.
-- @tparam string path
-- @treturn string the public key, in Z85
-- @treturn ?string the secret one; nil: it is not in there
-- @treturn table metadata, name = text. Or nil, err: ENOENT, EACCES, ...; EKEYINVALID (no
-- certificate: no public key, or none that can be)
function M.load_certificate(path)
  args.type(path, "string", "load_certificate", "path")
  local text, err = fs.read_file(path, { max = MOST })
  if not text then
    return nil, err
  end
  local public, secret, metadata = parse(text)
  if not public then
    return invalid(path, "no public key in it")
  elseif not keys.letters(public) then
    return invalid(path, "its public key is not 40 letters of Z85")
  elseif secret and not keys.letters(secret) then
    return invalid(path, "its secret key is not 40 letters of Z85")
  end
  return public, secret, metadata
end

--- The paths of the public certificates in a folder; nil, err. Parks.
function M.public_files(folder)
  local names, err = fs.readdir(folder)
  if not names then
    return nil, err
  end
  local paths = {}
  for _, name in ipairs(names) do
    if name:find("%.key$") then
      paths[#paths + 1] = folder .. "/" .. name
    end
  end
  return paths
end

--- The public keys in a folder, of its files NAME.key. Parks.
-- @tparam string folder
-- @treturn table key (Z85) = true; or nil, err: what there is to say of the folder, or of the
-- first file that is no certificate
function M.load_certificates(folder)
  args.type(folder, "string", "load_certificates", "folder")
  local paths, err = M.public_files(folder)
  if not paths then
    return nil, err
  end
  local found = {}
  for _, path in ipairs(paths) do
    local public
    public, err = M.load_certificate(path)
    if not public then
      return nil, err
    end
    found[public] = true
  end
  return found
end

-- -- Writing ------------------------------------------------------------------

local PUBLIC = [[
#   ****  Generated on %s by greenlua  ****
#   ZeroMQ CURVE Public Certificate
#   Exchange it so that nobody can change it on the way.

]]
local SECRET = [[
#   ****  Generated on %s by greenlua  ****
#   ZeroMQ CURVE **Secret** Certificate
#   Give this file to nobody, and leave its permissions as they are.

]]

--- A line of metadata must be that and no more: a line end in it would be another line, which might
-- be a key.
local function check_metadata(metadata)
  for name, value in pairs(args.plain(metadata, "create_certificates", "metadata")) do
    if type(name) ~= "string" or not name:find("^[%w_.-]+$") or name:find("^%w+%-key") then
      args.wrong("create_certificates", "a name of metadata", "letters, digits and . _ -", name)
    elseif type(value) ~= "string" or value:find("%c") then
      args.wrong("create_certificates", name, "a text of one line", value)
    end
  end
end

local function lines_of(metadata)
  local list = {}
  for name, value in pairs(metadata) do
    list[#list + 1] = format("    %s = %s\n", name, value)
  end
  sort(list)
  return concat(list)
end

local function text_of(banner, metadata, public, secret)
  local list = { format(banner, date("!%Y-%m-%d %H:%M:%S")), "metadata\n", lines_of(metadata),
    "curve\n",
    format('    public-key = "%s"\n', public) }
  if secret then
    list[#list + 1] = format('    secret-key = "%s"\n', secret)
  end
  return concat(list)
end

local ALONE = { mode = "0600", replace = false }

--- Make a pair of keys, and write its two certificates, folder/name.key and
-- folder/name.key_secret. Both are new files, and the user's alone (0600). Parks.
-- @tparam string folder
-- @tparam string name of the files
-- @tparam[opt] table metadata name = text of one line
-- @treturn string the path of the public one
-- @treturn string the path of the secret one. Or nil, err: EEXIST (one of them is there), ENOENT,
-- EACCES, ...; EOPNOTSUPP (this libzmq has no CURVE). Nothing is left then
function M.create_certificates(folder, name, metadata)
  args.type(folder, "string", "create_certificates", "folder")
  if args.type(name, "string", "create_certificates", "name"):find("[/%z]") or name == "" then
    args.wrong("create_certificates", "name", "the name of a file", name)
  end
  metadata = metadata or {}
  check_metadata(metadata)
  local public, secret = keys.curve_keypair()
  if not public then
    return nil, secret
  end
  local public_path, secret_path = folder .. "/" .. name .. ".key", folder .. "/" .. name
    .. ".key_secret"
  local ok, err = fs.write_file(secret_path, text_of(SECRET, metadata, public, secret), ALONE)
  if not ok then
    return nil, err
  end
  ok, err = fs.write_file(public_path, text_of(PUBLIC, metadata, public), ALONE)
  if not ok then
    fs.unlink(secret_path)
    return nil, err
  end
  return public_path, secret_path
end

return M
