package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// calls are the calls that people make, and their options beside those of every call. An
// option has its values, and is given once. Without values, all will do.
var calls = map[string]map[string]func(string) bool{
	"add": {
		"cid-version": only("1"), "raw-leaves": only("true"), "chunker": nil, "hash": only("sha2-256"),
		"pin": only("true"), "pin-name": only("chartseal-file"), "quieter": nil,
	},
	"cat":        {"offset": nil, "progress": nil},
	"block/get":  {"offline": nil, "timeout": nil},
	"block/put":  {"cid-codec": only("raw", "dag-pb"), "mhtype": only("sha2-256"), "pin": only("true", "false")},
	"block/stat": {"offline": nil, "timeout": nil},
	repairCall:   {},
	"dag/import": {"pin-roots": only("false"), "stats": nil},
	"pin/add":    {"recursive": only("true"), "progress": nil, "name": isPinsetName},
	"pin/ls":     {"type": nil, "names": nil, "name": nil, "stream": nil},
}

// required are options without which kubo would do something else.
var required = map[string][]string{"add": {"cid-version", "pin-name"}, "dag/import": {"pin-roots"}}

const prefix = "/api/v0/"

func only(values ...string) func(string) bool {
	return func(v string) bool {
		for _, known := range values {
			if v == known {
				return true
			}
		}
		return false
	}
}

// isPinsetName accepts what package client/ipfs takes for the name of a pinset.
func isPinsetName(name string) bool { return strings.HasPrefix(name, "chartseal-tie-") }

// isPayload accepts the CIDs that package client/ipfs makes, and no paths.
func isPayload(text string) bool {
	c, err := cid.Decode(text)
	if err != nil || c.String() != text {
		return false
	}
	p := c.Prefix()
	return p.Version == 1 && p.MhType == multihash.SHA2_256 && p.MhLength == 32 && (p.Codec == cid.Raw || p.Codec == cid.DagProtobuf)
}

// allowed decides whether people make a call.
func allowed(r *http.Request) error {
	call, ok := strings.CutPrefix(r.URL.Path, prefix)
	options, known := calls[call]
	if !ok || !known || r.Method != http.MethodPost {
		return fmt.Errorf("people do not call %s %.100q", r.Method, r.URL.Path)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("a malformed query")
	}
	for option, values := range query {
		check, known := options[option]
		switch {
		case option == "arg", option == "encoding", option == "stream-channels": // kubo's RPC client sends these with every call
			continue
		case !known:
			return fmt.Errorf("people do not call %s with option %.100q", call, option)
		case len(values) != 1 || check != nil && !check(values[0]):
			return fmt.Errorf("people do not call %s with option %s=%.100q", call, option, strings.Join(values, ","))
		}
	}
	for _, option := range required[call] {
		if !query.Has(option) {
			return fmt.Errorf("people do not call %s without option %s", call, option)
		}
	}
	switch {
	case (call == "pin/add" || call == repairCall) && (len(query["arg"]) != 1 || !isPayload(query.Get("arg"))):
		return fmt.Errorf("people call %s for one payload at a time, by its CID", call)
	case call == "block/put" && query.Get("pin") == "true" && query.Get("cid-codec") == "dag-pb":
		return fmt.Errorf("people pin only raw blocks when they store them")
	}
	return nil
}
