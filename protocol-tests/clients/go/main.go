// gomemcache: the text protocol. Writes a line for each result; see tests/clients.rs.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand"
	"net"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// How often a step is tried again that may meet a connection that has been cut.
const tries = 200

var input = bufio.NewReader(os.Stdin)

func say(name string, result ...any) {
	fmt.Printf("%s: %+q\n", name, fmt.Sprint(result...))
}

// The result of a step that must come out well.
func well(name string, err error) {
	if err != nil {
		fmt.Print("UNEXPECTED ")
		say(name, err)
		return
	}
	say(name, "done")
}

// The result of a step that must not.
func badly(name string, err error) {
	if err == nil {
		fmt.Print("UNEXPECTED ")
	}
	say(name, err)
}

func order(what string) {
	fmt.Printf("> %s\n", what)
	if answer, err := input.ReadString('\n'); err != nil || answer != "done\n" {
		os.Exit(1)
	}
}

// Set where TLS is spoken.
var dial func(ctx context.Context, network, address string) (net.Conn, error)

func speakTLS() {
	authority, err := os.ReadFile(os.Getenv("TLS_AUTHORITY"))
	if err != nil {
		panic(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(authority)
	dial = (&tls.Dialer{Config: &tls.Config{RootCAs: known}}).DialContext
}

func connect(wheres ...string) *memcache.Client {
	client := memcache.New(wheres...)
	client.DialContext = dial
	client.Timeout = 10 * time.Second
	client.MaxIdleConns = 20
	return client
}

func item(key, value string) *memcache.Item {
	return &memcache.Item{Key: key, Value: []byte(value), Flags: 0xfffffffe}
}

func get(client *memcache.Client, name, key string) {
	found, err := client.Get(key)
	if err != nil {
		say(name, err)
		return
	}
	value := found.Value
	if len(value) > 60 {
		say(name, len(value), " bytes, checksum ", crc32.ChecksumIEEE(value))
		return
	}
	say(name, string(value), " ", found.Flags)
}

func noise(count int) []byte {
	bytes := make([]byte, count)
	rand.New(rand.NewSource(4)).Read(bytes)
	return bytes
}

func store(client *memcache.Client) {
	well("ping", client.Ping())
	well("set", client.Set(item("hello", "world")))
	get(client, "get", "hello")
	get(client, "get nothing", "nothing")
	badly("add there", client.Add(item("hello", "again")))
	well("add", client.Add(item("added", "new")))
	badly("replace nothing", client.Replace(item("nothing", "x")))
	well("replace", client.Replace(item("added", "newer")))
	well("append", client.Append(item("added", "+")))
	well("prepend", client.Prepend(item("added", "-")))
	badly("append to nothing", client.Append(item("nothing", "x")))
	get(client, "joined", "added")
	first, err := client.Get("hello")
	well("gets", err)
	second := *first
	first.Value = []byte("swapped")
	well("cas", client.CompareAndSwap(first))
	badly("cas stale", client.CompareAndSwap(&second))
	third, err := client.Get("added")
	well("gets", err)
	well("delete", client.Delete("added"))
	badly("cas of what has gone", client.CompareAndSwap(third))
	badly("delete nothing", client.Delete("added"))
}

func count(client *memcache.Client) {
	number := func(name string, value uint64, err error) { say(name, value, " ", err) }
	well("number", client.Set(item("number", "10")))
	value, err := client.Increment("number", 5)
	number("incr", value, err)
	value, err = client.Decrement("number", 1)
	number("decr", value, err)
	value, err = client.Decrement("number", 100)
	number("decr below zero", value, err)
	value, err = client.Increment("nothing", 1)
	number("incr nothing", value, err)
	well("word", client.Set(item("word", "abc")))
	value, err = client.Increment("word", 1)
	number("incr of a word", value, err)
}

func items(client *memcache.Client) {
	for _, key := range []string{"short", "long", "read"} {
		one := item(key, "lived")
		one.Expiration = 2
		well(key, client.Set(one))
	}
	well("touch", client.Touch("long", 100))
	badly("touch nothing", client.Touch("nothing", 100))
	found, err := client.GetAndTouch("read", 100)
	well("gat", err)
	say("gat", string(found.Value))
	_, err = client.GetAndTouch("nothing", 100)
	badly("gat nothing", err)
	get(client, "short before", "short")
	time.Sleep(3100 * time.Millisecond)
	get(client, "short after", "short")
	get(client, "long after", "long")
	get(client, "read after", "read")
	well("empty set", client.Set(item("empty", "")))
	get(client, "empty", "empty")
	well("bytes set", client.Set(item("bytes", "\x00\r\n\xff")))
	get(client, "bytes", "bytes")
}

func limits(client *memcache.Client) {
	well("key of 250", client.Set(item(strings.Repeat("k", 250), "long key")))
	get(client, "key of 250 back", strings.Repeat("k", 250))
	badly("key of 251", client.Set(item(strings.Repeat("k", 251), "x")))
	well("unicode set", client.Set(item("schl\u00fcssel\u20ac", "\u20ac")))
	get(client, "unicode", "schl\u00fcssel\u20ac")
	big := noise(1024*1024 - 400)
	well("nearly 1 MiB set", client.Set(&memcache.Item{Key: "big", Value: big}))
	found, err := client.Get("big")
	well("nearly 1 MiB", err)
	say("nearly 1 MiB", bytes.Equal(found.Value, big))
	badly("over 1 MiB", client.Set(&memcache.Item{Key: "big", Value: noise(1024*1024 + 1)}))
	get(client, "the old one has gone", "big")
}

func keys(prefix string) []string {
	var all []string
	for n := 0; n < 100; n++ {
		all = append(all, fmt.Sprint(prefix, n))
	}
	return all
}

// Sets all of them, ten at a time.
func fill(client *memcache.Client, name string, all []string) {
	errs := make([]error, 10)
	var group sync.WaitGroup
	for part := range errs {
		group.Add(1)
		go func(part int) {
			defer group.Done()
			for n := part; n < len(all); n += len(errs) {
				if err := client.Set(item(all[n], "value of "+all[n])); err != nil {
					errs[part] = err
				}
			}
		}(part)
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			well(name, err)
			return
		}
	}
	well(name, nil)
}

func found(client *memcache.Client, name string, all []string) {
	hits, err := client.GetMulti(all)
	well(name, err)
	var lines []string
	for key, item := range hits {
		lines = append(lines, key+"="+string(item.Value))
	}
	sort.Strings(lines)
	sum := crc32.ChecksumIEEE([]byte(strings.Join(lines, "\n")))
	say(name, len(hits), " entries, checksum ", sum)
}

func text(where string) {
	client := connect(where)
	store(client)
	count(client)
	items(client)
	limits(client)
	fill(client, "many set", keys("many"))
	found(client, "many got", append(keys("many"), "nothing"))
	order("cut")
	var err error
	for n := 0; n < tries; n++ {
		if _, err = client.Get("hello"); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	well("after a cut", err)
	well("delete all", client.DeleteAll())
	get(client, "gone", "hello")
	well("set again", client.Set(item("hello", "again")))
	well("flush", client.FlushAll())
	get(client, "gone again", "hello")
	well("close", client.Close())
}

func nodes(wheres ...string) {
	all := keys("key")
	client := connect(wheres...)
	fill(client, "set on two", all)
	found(client, "found on two", all)
	shares := make([]int, 2)
	for side, where := range wheres {
		hits, err := connect(where).GetMulti(all)
		well("a share", err)
		shares[side] = len(hits)
	}
	say("both have a share", shares[0] > 0 && shares[1] > 0 && shares[0]+shares[1] == 100)
}

func pair(here, there string) {
	left, right := connect(here), connect(there)
	all := keys("key")
	fill(left, "set here", all)
	order("settle")
	found(right, "read there", all)
	stale, err := left.Get("key7")
	well("gets here", err)
	same := *stale
	same.Value = []byte("swapped")
	well("cas there", right.CompareAndSwap(&same))
	well("delete there", right.Delete("key8"))
	order("settle")
	get(left, "read here", "key7")
	get(left, "deleted here", "key8")
	badly("stale here", left.CompareAndSwap(stale))
	well("flush there", right.FlushAll())
	well("last there", right.Set(item("last", "word")))
	order("settle")
	found(left, "gone here", append(all, "last"))
}

func main() {
	for _, where := range os.Args[2:] {
		if _, _, err := net.SplitHostPort(where); err != nil {
			panic(errors.New("no address: " + where))
		}
	}
	switch os.Args[1] {
	case "text":
		text(os.Args[2])
	case "tls":
		speakTLS()
		text(os.Args[2])
	case "nodes":
		nodes(os.Args[2:]...)
	case "pair":
		pair(os.Args[2], os.Args[3])
	default:
		os.Exit(64)
	}
	fmt.Println("end")
}
