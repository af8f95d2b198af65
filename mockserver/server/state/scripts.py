"""What Redis does in one step, in Lua. Every script gets the prefix of all keys first, then the time to live in ms.

Keys, below the prefix; NS is `default`, or the digest of an API key:

- `ns:NS`, a hash: `v` a token that changes with every change, `doc` what `document.py` writes, `n` the last number of
  an exchange, `epoch` a token that changes when the journal is cleared, `dropped` exchanges that had to go.
- `rows:NS`, a hash: the bodies of faults and scripted answers by their digests.
- `journal:NS`, a list: finished exchanges in their order, each `NUMBER BEGIN END ` and its bytes.
- `pending:NS`, the same as they came; their number may be 0. Who reads sorts them in (`settle`).
- `open:NS`, a hash: what each process has in flight, as it last told.
- `names`, a hash: NS to the name that operators see; `asked`, sorted by when the control API was last asked of it.
- `weights`, sorted: bytes of each journal; `total`: those of all; `made`: how many namespaces there have been.
- `members`, sorted: the processes, by the end of their leases; `clocks`, a hash: how far each machine's clock is off.
- `watch:NS`: there while somebody waits for an exchange.

Beside the prefix, since all layouts read it: `SERVED`, what those serve that use the state now, for as long as a lease.
"""

from __future__ import annotations

from typing import Final

from mockserver.server.journal import MOST_BYTES, MOST_BYTES_OF_ALL, MOST_EXCHANGES

NAME: Final = "genstudio-mock"
SERVED: Final = f"{NAME}:served"

_COMMON: Final = f"""
local prefix, ttl = ARGV[1], ARGV[2]
local function key(kind, ns) return prefix .. kind .. ':' .. ns end
local function call(...) return redis.call(...) end
local function field(ns, name, otherwise) return call('HGET', key('ns', ns), name) or otherwise end
local function live(...) for _, one in ipairs({{...}}) do call('PEXPIRE', one, ttl) end end
local function now_ms() local t = call('TIME') return t[1] * 1000 + t[2] / 1000 end
local function weigh(ns, bytes)
  call('ZINCRBY', prefix .. 'weights', bytes, ns)
  call('INCRBY', prefix .. 'total', bytes)
end
local function forget_journal(ns)
  local weight = call('ZSCORE', prefix .. 'weights', ns)
  if weight then call('DECRBY', prefix .. 'total', string.format('%d', weight)) end
  call('ZREM', prefix .. 'weights', ns)
  call('DEL', key('journal', ns), key('pending', ns), key('open', ns))
end
local function release(ns)
  forget_journal(ns)
  call('DEL', key('ns', ns), key('rows', ns))
  call('HDEL', prefix .. 'names', ns)
  call('ZREM', prefix .. 'asked', ns)
end
local function settle(ns, token)
  local came = call('LRANGE', key('pending', ns), 0, -1)
  if #came == 0 then return end
  local rows, unnumbered = {{}}, {{}}
  for place, entry in ipairs(came) do
    local number, began, ended, rest = string.match(entry, '^(%d+) (%S+) (%S+) ()')
    local row = {{number, tonumber(began), tonumber(ended), began, ended, string.sub(entry, rest), place}}
    rows[place] = row
    if number == '0' then unnumbered[#unnumbered + 1] = row end
  end
  table.sort(unnumbered, function(a, b) return a[2] < b[2] or (a[2] == b[2] and a[7] < b[7]) end)
  for _, row in ipairs(unnumbered) do
    row[1] = string.format('%d', call('HINCRBY', key('ns', ns), 'n', 1))
    weigh(ns, #row[1] - 1)
  end
  if #unnumbered > 0 then call('HSET', key('ns', ns), 'v', token) end
  table.sort(rows, function(a, b) return a[3] < b[3] or (a[3] == b[3] and a[7] < b[7]) end)
  for _, row in ipairs(rows) do
    call('RPUSH', key('journal', ns), row[1] .. ' ' .. row[4] .. ' ' .. row[5] .. ' ' .. row[6])
  end
  call('DEL', key('pending', ns))
  live(key('journal', ns), key('ns', ns), key('rows', ns))
end
local function drop_oldest(ns, token)
  if call('LLEN', key('journal', ns)) == 0 then settle(ns, token) end
  local gone = call('LPOP', key('journal', ns))
  if not gone then call('ZREM', prefix .. 'weights', ns) return false end
  weigh(ns, -#gone)
  call('HINCRBY', key('ns', ns), 'dropped', 1)
  return true
end
local function count(ns) return call('LLEN', key('journal', ns)) + call('LLEN', key('pending', ns)) end
local function make_room(ns, token)
  local many = count(ns)
  while many > {MOST_EXCHANGES}
      or (many > 1 and tonumber(call('ZSCORE', prefix .. 'weights', ns) or 0) > {MOST_BYTES}) do
    drop_oldest(ns, token)
    many = many - 1
  end
  while tonumber(call('GET', prefix .. 'total') or 0) > {MOST_BYTES_OF_ALL} do
    local heaviest = call('ZREVRANGE', prefix .. 'weights', 0, 0)[1]
    if not heaviest or not drop_oldest(heaviest, token) then
      if not heaviest then call('SET', prefix .. 'total', 0) end
    end
  end
end
"""

COMMIT: Final = (
    _COMMON
    + """
-- ns, version, new version, document, number, epoch or '', rows that come (digest, body)..., '', rows that go...
local ns = ARGV[3]
local h = key('ns', ns)
if ns ~= 'default' and call('HEXISTS', prefix .. 'names', ns) == 0 then return {2} end
local version = field(ns, 'v', '')
if version ~= ARGV[4] then
  return {0, version, field(ns, 'doc', ''), field(ns, 'n', '0'), field(ns, 'epoch', '0')}
end
call('HSET', h, 'v', ARGV[5], 'doc', ARGV[6], 'n', ARGV[7])
if ARGV[8] ~= '' then
  forget_journal(ns)
  call('HSET', h, 'epoch', ARGV[8], 'dropped', 0)
end
local at = 9
while ARGV[at] ~= '' do
  call('HSET', key('rows', ns), ARGV[at], ARGV[at + 1])
  at = at + 2
end
for gone = at + 1, #ARGV do call('HDEL', key('rows', ns), ARGV[gone]) end
live(h, key('rows', ns))
return {1}
"""
)
"""Change a namespace if nobody was faster: 1 where it is done, 0 with how it is now, 2 where it was given up."""

CLAIM: Final = (
    _COMMON
    + """
-- ns, most namespaces: the name, and whether it is new
local ns, names, asked = ARGV[3], prefix .. 'names', prefix .. 'asked'
local name, new = call('HGET', names, ns), 0
if not name then
  while call('HLEN', names) >= tonumber(ARGV[4]) do release(call('ZRANGE', asked, 0, 0)[1]) end
  local number = call('INCR', prefix .. 'made')
  name, new = 'key-' .. string.format('%d', number), 1
  call('HSET', names, ns, name)
  call('HSET', key('ns', ns), 'epoch', string.format('%d', number), 'v', string.format('made-%d', number))
end
call('ZADD', asked, call('INCR', prefix .. 'turns'), ns)
live(names, asked, prefix .. 'made', prefix .. 'turns', key('ns', ns), key('rows', ns), key('journal', ns))
return {name, new}
"""
)

RELEASE: Final = (
    _COMMON
    + """
local there = call('HEXISTS', prefix .. 'names', ARGV[3])
release(ARGV[3])
return there
"""
)

APPEND: Final = (
    _COMMON
    + """
-- token, member, then ns, epoch, entry for each exchange; the same token again changes nothing
local last = prefix .. 'batch:' .. ARGV[4]
if call('GET', last) == ARGV[3] then return end
call('SET', last, ARGV[3], 'PX', ttl)
local touched = {}
for at = 5, #ARGV, 3 do
  local ns, entry = ARGV[at], ARGV[at + 2]
  local known = ns == 'default' or call('HEXISTS', prefix .. 'names', ns) == 1
  if known and not call('HGET', key('ns', ns), 'epoch') then call('HSET', key('ns', ns), 'epoch', ARGV[at + 1]) end
  if known and field(ns, 'epoch', '') == ARGV[at + 1] then
    call('RPUSH', key('pending', ns), entry)
    weigh(ns, #entry)
    touched[ns] = true
  end
end
for ns in pairs(touched) do
  make_room(ns, ARGV[3])
  live(key('pending', ns), key('journal', ns), key('ns', ns), key('rows', ns), prefix .. 'weights', prefix .. 'total')
  if call('EXISTS', key('watch', ns)) == 1 then
    call('PUBLISH', prefix .. 'bus', cjson.encode({['do'] = 'wake', ns = ns}))
  end
end
"""
)

NUMBER: Final = (
    _COMMON
    + """
-- ns, token, how many: the first of as many numbers, for exchanges in flight
settle(ARGV[3], ARGV[4])
call('HSET', key('ns', ARGV[3]), 'v', ARGV[4])
return call('HINCRBY', key('ns', ARGV[3]), 'n', ARGV[5]) - ARGV[5] + 1
"""
)

OPEN: Final = (
    _COMMON
    + """
-- ns, member, what it has in flight: tell it, and wake who waits
local open = key('open', ARGV[3])
if ARGV[5] == '' then call('HDEL', open, ARGV[4]) else call('HSET', open, ARGV[4], ARGV[5]) end
live(open)
if call('EXISTS', key('watch', ARGV[3])) == 1 then
  call('PUBLISH', prefix .. 'bus', cjson.encode({['do'] = 'wake', ns = ARGV[3]}))
end
"""
)

READ: Final = (
    _COMMON
    + """
-- ns, token, epoch, how many of it were read or dropped, member: epoch, dropped, about 1 MiB of what is new,
-- what others have in flight, how many are still to be read
local ns = ARGV[3]
settle(ns, ARGV[4])
local epoch, dropped, from = field(ns, 'epoch', '0'), tonumber(field(ns, 'dropped', '0')), 0
if epoch == ARGV[5] then from = math.max(tonumber(ARGV[6]) - dropped, 0) end
local open, now = {}, now_ms()
local all = call('HGETALL', key('open', ns))
for at = 1, #all, 2 do
  local lease = call('ZSCORE', prefix .. 'members', all[at])
  if lease and tonumber(lease) > now and all[at] ~= ARGV[7] then open[#open + 1] = all[at + 1] end
end
local come, bytes, at = {}, 0, from
local some
repeat
  some = call('LRANGE', key('journal', ns), at, at + 3)
  for _, one in ipairs(some) do come[#come + 1] = one bytes = bytes + #one end
  at = at + #some
until #some == 0 or bytes >= 1048576
return {epoch, dropped, from, come, open, call('LLEN', key('journal', ns)) - at}
"""
)

COUNTS: Final = (
    _COMMON
    + """
-- member, then each ns: how many exchanges have ended, were dropped, are in flight at others
local found, now = {}, now_ms()
for at = 4, #ARGV do
  local open, all = 0, call('HGETALL', key('open', ARGV[at]))
  for place = 1, #all, 2 do
    local lease = all[place] ~= ARGV[3] and call('ZSCORE', prefix .. 'members', all[place])
    if lease and tonumber(lease) > now then open = open + tonumber(string.match(all[place + 1], '^(%d+)')) end
  end
  found[#found + 1] = {count(ARGV[at]), tonumber(field(ARGV[at], 'dropped', '0')), open}
end
return found
"""
)

TELL: Final = (
    _COMMON
    + """
-- message: all living members, and how many ms of their leases are left
local members, now = prefix .. 'members', now_ms()
call('ZREMRANGEBYSCORE', members, '-inf', now)
call('PUBLISH', prefix .. 'bus', ARGV[3])
local found = call('ZRANGE', members, 0, -1, 'WITHSCORES')
for at = 2, #found, 2 do found[at] = string.format('%d', tonumber(found[at]) - now + 1) end
return found
"""
)

RENEW: Final = (
    _COMMON
    + f"""
-- member, lease in ms, what it is told on its own channel, what it serves: whether the lease had not run out; or what
-- is served by those that use the state, where that is something else
local theirs = call('GET', '{SERVED}')
if theirs and theirs ~= ARGV[6] then return theirs end
call('SET', '{SERVED}', ARGV[6], 'PX', ARGV[4])
local lease = call('ZSCORE', prefix .. 'members', ARGV[3])
call('ZADD', prefix .. 'members', now_ms() + ARGV[4], ARGV[3])
for _, one in ipairs({{'members', 'names', 'asked', 'made', 'turns', 'clocks'}}) do live(prefix .. one) end
call('PUBLISH', prefix .. 'bus:' .. ARGV[3], ARGV[5])
if lease and tonumber(lease) > now_ms() then return 1 end
return 0
"""
)

LEAVE: Final = (
    _COMMON
    + f"""
-- member: it ends; with the last one goes what they serve
local members = prefix .. 'members'
call('ZREM', members, ARGV[3])
call('ZREMRANGEBYSCORE', members, '-inf', now_ms())
if call('ZRANGE', members, 0, 0)[1] == nil then call('DEL', '{SERVED}') end
"""
)

CLOCK: Final = (
    _COMMON
    + """
-- machine, its monotonic clock in ms: how far that is behind the common one
local offset = call('HGET', prefix .. 'clocks', ARGV[3])
if not offset then
  offset = string.format('%.3f', now_ms() - tonumber(ARGV[4]))
  call('HSET', prefix .. 'clocks', ARGV[3], offset)
end
live(prefix .. 'clocks')
return offset
"""
)

PROBED: Final = (
    "HSET k f v", "HGET k f", "HMGET k f", "HGETALL k", "HLEN k", "HEXISTS k f", "HDEL k f", "HINCRBY k f 1",
    "ZADD k 1 m", "ZINCRBY k 1 m", "ZSCORE k m", "ZRANGE k 0 0", "ZREVRANGE k 0 0", "ZREM k m",
    "ZREMRANGEBYSCORE k 0 1", "RPUSH k e", "LRANGE k 0 0", "LLEN k", "LPOP k", "SET k v", "GET k", "EXISTS k",
    "INCR k", "INCRBY k 1", "DECRBY k 1", "PEXPIRE k 1", "TIME", "PUBLISH c m",
)  # fmt: skip
"""Every command of these scripts and of those that use them, but for DEL, on a key `k` and a channel `c`."""

PROBE: Final = f"""
-- tries each command on a key of its own: an error that names the first one that is refused; what needs memory comes
-- first, since a script that has written once is refused nothing for want of it
local key = ARGV[1] .. 'probe'
for line in string.gmatch('{";".join(PROBED)}', '[^;]+') do
  local words = {{}}
  for word in string.gmatch(line, '%S+') do
    words[#words + 1] = word == 'k' and key or word == 'c' and ARGV[1] .. 'bus:probe' or word
  end
  local answer = redis.pcall(unpack(words))
  if type(answer) == 'table' and answer['err'] then
    return redis.error_reply((string.gsub(answer['err'], '%.$', '')) .. ' (' .. words[1] .. ')')
  end
  redis.call('DEL', key)
end
"""
