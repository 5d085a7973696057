package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// A kubo node belongs to each hospital. The nodes form a private swarm: every node knows
// the swarm's key and all other nodes, and speaks to nobody else.

// initIPFS makes a hospital's repository, with its key, once.
func (n *Network) initIPFS(ctx context.Context, org string) error {
	if isFile(n.org(org, "ipfs", "config")) {
		return nil
	}
	cmd := exec.CommandContext(ctx, filepath.Join(n.state.Servers.Kubo, "ipfs"), "init", "--empty-repo")
	cmd.Env = n.ipfsEnvironment(org)
	_, err := n.run(ctx, cmd)
	return err
}

func (n *Network) ipfsEnvironment(org string) []string {
	return []string{
		"IPFS_PATH=" + n.org(org, "ipfs"), "IPFS_TELEMETRY=off",
		"LIBP2P_FORCE_PNET=1", // never join the public swarm
	}
}

// configureIPFS joins the hospitals' repositories to one swarm, after initIPFS made them.
func (n *Network) configureIPFS() error {
	swarmKey := n.path("orgs", n.topology.Hospitals[0].Name, "ipfs", "swarm.key")
	key, err := os.ReadFile(swarmKey)
	if err != nil {
		key = []byte("/key/swarm/psk/1.0.0/\n/base16/\n" + secret() + "\n")
	}
	configs := map[string]object{}
	peers := map[string]string{} // hospital to peer id
	for _, h := range n.topology.Hospitals {
		data, err := os.ReadFile(n.org(h.Name, "ipfs", "config"))
		if err != nil {
			return err
		}
		var config object
		if err := json.Unmarshal(data, &config); err != nil {
			return fmt.Errorf("%s/ipfs: %w", h.Name, err)
		}
		identity, _ := config["Identity"].(object)
		peers[h.Name], _ = identity["PeerID"].(string)
		configs[h.Name] = config
	}
	for _, h := range n.topology.Hospitals {
		config := configs[h.Name]
		if err := n.overlayIPFS(config, h.Name, peers); err != nil {
			return err
		}
		data, err := json.MarshalIndent(config, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(n.org(h.Name, "ipfs", "swarm.key"), key); err != nil {
			return err
		}
		if err := writeFile(n.org(h.Name, "ipfs", "config"), data); err != nil {
			return err
		}
	}
	return nil
}

// ipfsPeerID names a hospital's node to others. It is empty before initIPFS.
func (n *Network) ipfsPeerID(org string) string {
	var config struct{ Identity struct{ PeerID string } }
	if data, err := os.ReadFile(n.org(org, "ipfs", "config")); err != nil || json.Unmarshal(data, &config) != nil {
		return ""
	}
	return config.Identity.PeerID
}

func (n *Network) overlayIPFS(config object, org string, peers map[string]string) error {
	if err := n.checkSocket(org); err != nil {
		return err
	}
	authorizations := object{}
	for holder, calls := range tokenHolders {
		token, err := n.ipfsToken(org, holder)
		if err != nil {
			return err
		}
		authorizations[holder] = object{"AuthSecret": "bearer:" + token, "AllowedPaths": calls}
	}
	os.Remove(n.org(org, "ipfs", "token")) // of an earlier release: every wallet has it
	bootstrap, peering := []string{}, []object{}
	for _, name := range sortedKeys(peers) {
		if name == org {
			continue
		}
		address := n.multiaddr(name, portIPFSSwarm)
		bootstrap = append(bootstrap, address+"/p2p/"+peers[name])
		peering = append(peering, object{"ID": peers[name], "Addrs": []string{address}})
	}
	disabled := object{"Enabled": false}
	overlay(config, object{
		"Addresses": object{
			"API": "/unix" + n.ipfsSocket(org), "Gateway": []string{},
			"Swarm": []string{n.multiaddr(org, portIPFSSwarm)},
		},
		"Bootstrap": bootstrap, "Peering": object{"Peers": peering},
		"Routing":  object{"Type": "none", "DelegatedRouters": []string{}},
		"Ipns":     object{"DelegatedPublishers": []string{}},
		"AutoConf": disabled, "AutoTLS": disabled, "Provide": disabled, "HTTPRetrieval": disabled,
		"AutoNAT":   object{"ServiceMode": "disabled"},
		"Discovery": object{"MDNS": disabled},
		"Swarm": object{
			"DisableNatPortMap": true, "EnableHolePunching": false, "RelayClient": disabled, "RelayService": disabled,
			"Transports": object{"Network": object{
				"TCP": true, "QUIC": false, "Websocket": false, "Relay": false, "WebTransport": false, "WebRTCDirect": false,
			}},
		},
		// A damaged block is not served, and no pin is walked over it: a collection of
		// garbage would take blocks of which a damaged one has lost the links. It can be
		// replaced by a good copy, as nothing remembers that the block is there. That
		// comes from the other nodes, which serve blocks of their own to the swarm.
		"Datastore":    object{"HashOnRead": true, "BlockKeyCacheSize": 0},
		"Experimental": object{"GatewayOverLibp2p": true, "Libp2pStreamMounting": true},
		"Version":      object{"SwarmCheckEnabled": false},
		"Plugins":      object{"Plugins": object{"telemetry": object{"Disabled": true}}},
		"Import":       object{"CidVersion": 1, "UnixFSRawLeaves": true, "UnixFSChunker": "size-1048576"},
	})
	// overlay would keep the default resolver, and tokens of an earlier release
	config["DNS"] = object{"Resolvers": object{}}
	config["API"] = object{"Authorizations": authorizations}
	return nil
}

// tokenHolders are the holders of kubo's tokens, and the calls for which each token is
// good. kubo reads tokens when it starts.
var tokenHolders = map[string][]string{
	operator: {"/api/v0"},
	// The proxy collects garbage when nobody stores.
	collector: {"/api/v0/repo/gc"},
	// The proxy limits people to fewer options, and asks for their certificates.
	ipfsProxy: {"/api/v0/add", "/api/v0/cat", "/api/v0/block/get", "/api/v0/block/put", "/api/v0/block/stat", "/api/v0/dag/import",
		"/api/v0/pin/add", "/api/v0/pin/ls", "/api/v0/swarm/peers", "/api/v0/p2p/forward", "/api/v0/p2p/close"},
	keeper: {"/api/v0/block/get", "/api/v0/block/put", "/api/v0/block/stat",
		"/api/v0/pin/add", "/api/v0/pin/ls", "/api/v0/pin/rm", "/api/v0/pin/update",
		"/api/v0/repo/stat", "/api/v0/swarm/peers", "/api/v0/p2p/forward", "/api/v0/p2p/close"},
}

const (
	collector = "collector"
	operator  = "operator"
	ipfsProxy = "proxy"
	keeper    = "replicator" // in kubo's configuration since the first release
)

// OperatorToken is good for every call of a hospital's node. It is in no wallet.
func (n *Network) OperatorToken(hospital string) (string, error) {
	return n.ipfsToken(hospital, operator)
}

// ipfsToken reads a holder's token. Its first use makes it.
func (n *Network) ipfsToken(org, holder string) (string, error) {
	file := n.ipfsTokenFile(org, holder)
	token, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		token = []byte(secret())
		err = writeFile(file, token)
	}
	return string(token), err
}

func (n *Network) ipfsTokenFile(org, holder string) string {
	return n.org(org, "ipfs", holder+"-token")
}

// IPFSSocket is the path of the Unix socket on which a hospital's kubo node serves its
// API. Only the owner of the network reaches it: kubo serves parts of the API without a
// token.
func (n *Network) IPFSSocket(hospital string) string { return n.ipfsSocket(hospital) }

func (n *Network) ipfsSocket(org string) string { return n.org(org, "ipfs", "rpc") }

// checkSocket makes sure that the kernel takes the path of the socket.
func (n *Network) checkSocket(org string) error {
	const longest = 107 // bytes, see unix(7)
	if extra := len(n.ipfsSocket(org)) - longest; extra > 0 {
		return mark(ErrInvalid, fmt.Errorf("the network's directory %s has a path that is %d bytes too long for kubo's socket: choose a shorter one", n.dir, extra))
	}
	return nil
}

// multiaddr is a service's address in IPFS's notation.
func (n *Network) multiaddr(org string, offset int) string {
	return fmt.Sprintf("/ip4/%s/tcp/%d", n.host(org), n.port(org, offset))
}

func (n *Network) ipfsProcess(org string) *process {
	return &process{
		organisation: org, kind: "ipfs",
		ports: []int{n.port(org, portIPFSSwarm)},
		path:  filepath.Join(n.state.Servers.Kubo, "ipfs"), args: []string{"daemon"},
		env: n.ipfsEnvironment(org), dir: n.org(org, "ipfs"),
		prepare: func() error { // a killed kubo leaves its socket
			err := os.Remove(n.ipfsSocket(org))
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return err
		},
		ready: func(ctx context.Context) error {
			_, err := n.ipfsCall(ctx, org, "id", "", nil)
			return err
		},
	}
}

// ipfsCall calls a hospital's node as its operator.
func (n *Network) ipfsCall(ctx context.Context, org, call, contentType string, body io.Reader) ([]byte, error) {
	token, err := n.ipfsToken(org, operator)
	if err != nil {
		return nil, err
	}
	return n.ipfsCallWith(ctx, org, token, call, contentType, body)
}

func (n *Network) ipfsCallWith(ctx context.Context, org, token, call, contentType string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, n.probeTimeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/api/v0/"+call, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return fetch(req, &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", n.ipfsSocket(org))
		},
		DisableKeepAlives: true,
	})
}
