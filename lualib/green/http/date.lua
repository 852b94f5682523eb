--- Dates of HTTP: the three forms of RFC 9110 5.6.7, and the lenient reading that
-- RFC 6265bis 5.1.1 has for cookies. All are seconds since 1970, UTC.
-- @module green.http.date

-- Scripts may put their own in their places.
local ipairs, tonumber = ipairs, tonumber
local floor, format = math.floor, string.format

local MOST = 64 -- bytes of a date that are looked at

local M = {}

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local LONG_DAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
  "Dec" }

local function places(list)
  local of = {}
  for i, name in ipairs(list) do
    of[name] = i
  end
  return of
end

local month_of, day_of, long_day_of = places(MONTHS), places(DAYS), places(LONG_DAYS)

-- -- Calendar -----------------------------------------------------------------

--- Days from 1970-01-01 to that day of the Gregorian calendar. Years begin with March
-- here, so that the day that may be missing is the last one.
local function days_from(year, month, day)
  if month <= 2 then
    year = year - 1
  end
  local era = floor(year / 400)
  local in_era = year - era * 400
  local in_year = floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local days = in_era * 365 + floor(in_era / 4) - floor(in_era / 100) + in_year
  return era * 146097 + days - 719468
end

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

local LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function days_in(year, month)
  return month == 2 and is_leap(year) and 29 or LENGTHS[month]
end

--- Seconds since 1970; nil: there is no such moment.
local function moment(year, month, day, hour, minute, second)
  if not month or day < 1 or day > days_in(year, month) or hour > 23 or minute > 59
    or second > 59 then
    return nil
  end
  return days_from(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

-- -- Dates of headers ---------------------------------------------------------

--- A year of two digits is of this century, unless that is more than 50 years ahead.
local function full_year(short, now)
  local year = floor(now / 31556952) + 1970
  local full = year - year % 100 + short
  return full > year + 50 and full - 100 or full
end

local function numbers(...)
  local day, year, hour, minute, second = ...
  return tonumber(day), tonumber(year), tonumber(hour), tonumber(minute), tonumber(second)
end

-- A second of 60 is a leap second, which this calendar does not have.
local function leap(second)
  return second == 60 and 59 or second
end

local function read_fixdate(text)
  local name, d, month, y, h, m, s = text:match(
    "^(%a%a%a), (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if name and day_of[name] then
    local day, year, hour, minute, second = numbers(d, y, h, m, s)
    return moment(year, month_of[month], day, hour, minute, leap(second))
  end
end

local function read_850(text, now)
  local name, d, month, y, h, m, s = text:match(
    "^(%a+), (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if name and long_day_of[name] then
    local day, year, hour, minute, second = numbers(d, y, h, m, s)
    return moment(full_year(year, now), month_of[month], day, hour, minute, leap(second))
  end
end

local function read_asctime(text)
  local name, month, d, h, m, s, y = text:match(
    "^(%a%a%a) (%a%a%a) ([%d ]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  if name and day_of[name] then
    local day, year, hour, minute, second = numbers(d, y, h, m, s)
    return moment(year, month_of[month], day, hour, minute, leap(second))
  end
end

--- An HTTP-date (RFC 9110 5.6.7) in any of its three forms. Does not park.
-- @tparam string text
-- @tparam number now seconds since 1970, for years of two digits
-- @treturn ?number seconds since 1970; nil: it is none
function M.parse(text, now)
  if #text > MOST then
    return nil
  end
  return read_fixdate(text) or read_850(text, now) or read_asctime(text)
end

--- An IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". Does not park.
-- @tparam number seconds since 1970, of a year before 10000
function M.format(seconds)
  local days = floor(seconds / 86400)
  local rest = floor(seconds - days * 86400)
  local era = floor((days + 719468) / 146097)
  local in_era = days + 719468 - era * 146097
  local year_of_era = floor((in_era - floor(in_era / 1460) + floor(in_era / 36524)
    - floor(in_era / 146096)) / 365)
  local in_year = in_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local from_march = floor((5 * in_year + 2) / 153)
  local month = (from_march + 2) % 12 + 1
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return format("%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[(days + 4) % 7 + 1],
    in_year - floor((153 * from_march + 2) / 5) + 1, MONTHS[month], year, floor(rest / 3600),
    floor(rest / 60) % 60, rest % 60)
end

-- -- Dates of cookies ---------------------------------------------------------

-- What stands between the parts of a cookie's date.
local PART = "[^\t\32-\47\59-\64\91-\96\123-\126]+"

--- A number of `least` to `most` digits that nothing but an end or a non-digit follows.
local function digits_at(part, least, most)
  local digits = part:match("^%d+")
  return digits and #digits >= least and #digits <= most and tonumber(digits) or nil
end

local function time_at(part)
  local h, m, s, behind = part:match("^(%d%d?):(%d%d?):(%d%d?)(.?)")
  if h and not behind:find("%d") then
    return tonumber(h), tonumber(m), tonumber(s)
  end
end

--- The date of a cookie's Expires (RFC 6265bis 5.1.1), which may stand in any order and
-- between nearly anything. Does not park.
-- @tparam string text
-- @treturn ?number seconds since 1970; nil: it is none
function M.cookie(text)
  local hour, minute, second, day, month, year
  for part in text:gmatch(PART) do
    local h, m, s = time_at(part)
    local name = month_of[part:sub(1, 1):upper() .. part:sub(2, 3):lower()]
    if not hour and h then
      hour, minute, second = h, m, s
    elseif not day and digits_at(part, 1, 2) then
      day = digits_at(part, 1, 2)
    elseif not month and name then
      month = name
    elseif not year then
      year = digits_at(part, 2, 4)
    end
  end
  if not (hour and day and month and year) then
    return nil
  end
  if year <= 69 then
    year = year + 2000
  elseif year <= 99 then
    year = year + 1900
  end
  return year >= 1601 and moment(year, month, day, hour, minute, second) or nil
end

return M
