package network

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// configurePeer writes core.yaml: Fabric's sample with our settings over it.
func (n *Network) configurePeer(org string) error {
	dir := n.org(org, "peer")
	cert, key := filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
	address := n.address(org, portPeer)
	return n.configureFrom("core.yaml", filepath.Join(dir, "core.yaml"), object{
		"peer": object{
			"id": "peer." + org, "networkId": n.topology.Channel, "localMspId": org, "mspConfigPath": filepath.Join(dir, "msp"),
			"listenAddress": address, "address": address, "fileSystemPath": filepath.Join(dir, "data"),
			"chaincodeListenAddress": n.address(org, portPeerChaincode), "chaincodeAddress": n.address(org, portPeerChaincode),
			"gossip": object{
				// Each organisation has one peer, which bootstraps from itself and finds
				// the others through the anchor peers.
				"bootstrap": address, "endpoint": address, "externalEndpoint": address,
				// Messages to a dead peer try to connect one after the other, each as
				// long as dialTimeout, and private data waits behind them: with the
				// sample's 3 s a hospital's outage stopped the others for 10 s and more.
				"reconnectInterval": n.reconnectInterval(org).String(), "dialTimeout": "300ms", "connTimeout": "1s",
				// A peer sends private data only to peers that it knows to be in the
				// channel. These intervals bound how soon it knows, and how soon the
				// metric that awaitGossip reads is right.
				"aliveTimeInterval": "1s", "aliveExpirationTimeout": "5s", // a peer silent for so long counts as dead
				"publishStateInfoInterval": "500ms", "requestStateInfoInterval": "500ms", "membershipTrackerInterval": "200ms",
				"pvtData": object{
					// A hospital that was down gets the wrapped keys that it missed.
					"reconcileSleepInterval": "5s", "reconcileBatchSize": 100, "pullRetryThreshold": "5s",
				},
			},
			// A peer takes blocks from one orderer. When that one dies, it soon tries
			// another, or the dead one again. It leaves an orderer that stays behind the
			// block headers of the others.
			"deliveryclient": object{"connTimeout": "500ms", "reConnectBackoffThreshold": "2s", "blockCensorshipTimeoutKey": "2s"},
			"tls": object{
				"enabled": true, "clientAuthRequired": true,
				"cert": object{"file": cert}, "key": object{"file": key}, "rootcert": object{"file": n.allTLSRoots()},
				"clientRootCAs": object{"files": n.clientRoots()},
				"clientCert":    object{"file": cert}, "clientKey": object{"file": key},
			},
		},
		"vm": object{"endpoint": ""}, // no Docker
		"chaincode": object{"externalBuilders": []object{{
			"name": "chartseal", "path": n.path("builder"), "propagateEnvironment": []string{"CHARTSEAL_CONNECTION"},
		}}},
		"ledger": object{
			"snapshots": object{"rootDir": filepath.Join(dir, "data", "snapshots")},
			// No contract asks for the history of a key: versions have keys of their own.
			"history": object{"enableHistoryDatabase": false},
			// What a transaction purges is in the state no more, but Fabric removes it
			// from the store of private writes only at every so many blocks, 100 by
			// default: on a quiet channel that may be days.
			"pvtdataStore": object{"purgeInterval": 1},
		},
		"operations": object{"listenAddress": n.address(org, portPeerOperations), "tls": object{
			"enabled": true, "cert": object{"file": cert}, "key": object{"file": key},
			"clientAuthRequired": true, "clientRootCAs": object{"files": []string{n.administrationRoot(org)}},
		}},
		"metrics": object{"provider": "prometheus"},
	})
}

// reconnectInterval is how long a peer waits before it tries again to reach another.
// Peers that start together miss each other at first: for the earlier peer nobody listens
// yet, and the later peer has not loaded its channel. When two peers try again at the
// same moment, they keep one of the two connections, and gossip waits five seconds for an
// answer on the other one. So each peer waits a shorter time than the peers that start
// before it. The difference is larger than the time between their starts.
func (n *Network) reconnectInterval(org string) time.Duration {
	all := n.organisations()
	later := len(all) - 1 - slices.Index(all, org)
	return 300*time.Millisecond + time.Duration(later)*400*time.Millisecond
}

func (n *Network) peerProcess(org string) *process {
	dir := n.org(org, "peer")
	return &process{
		organisation: org, kind: "peer", address: n.address(org, portPeer),
		ports: []int{n.port(org, portPeer), n.port(org, portPeerChaincode), n.port(org, portPeerOperations)},
		path:  filepath.Join(n.state.Servers.Fabric, "peer"), args: []string{"node", "start"},
		env: append([]string{"FABRIC_CFG_PATH=" + dir, "CHARTSEAL_CONNECTION=" + dir}, logging...), dir: dir,
		ready: func(ctx context.Context) error {
			if _, err := n.probe(ctx, org, http.MethodGet, n.operationsURL(org, portPeerOperations)+"/healthz"); err != nil {
				return err
			}
			config, err := n.personTLS(org)
			if err != nil {
				return err
			}
			return n.dialTLS(ctx, n.address(org, portPeer), config)
		},
		askedBy: asPerson(org),
		height: func(ctx context.Context) (uint64, error) {
			metrics, err := n.channelMetrics(ctx, org, portPeerOperations)
			return uint64(metrics["ledger_blockchain_height"]), err
		},
	}
}

func (n *Network) operationsURL(org string, offset int) string {
	return "https://" + n.address(org, offset)
}

// channelMetrics gives the channel's metrics of a peer or orderer, by name. The offset is
// that of its operations port.
func (n *Network) channelMetrics(ctx context.Context, org string, offset int) (map[string]float64, error) {
	body, err := n.probe(ctx, org, http.MethodGet, n.operationsURL(org, offset)+"/metrics")
	if err != nil {
		return nil, err
	}
	label := fmt.Sprintf(`{channel="%s"}`, n.topology.Channel)
	metrics := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), label+" ")
		if !found {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			metrics[name] = v
		}
	}
	return metrics, nil
}

// awaitGossip waits until a peer knows all other running peers of the channel. Before
// that it has nowhere to send private data.
func (n *Network) awaitGossip(ctx context.Context, org string) error {
	return n.retry(ctx, "wait for gossip of "+org+"/peer", func(ctx context.Context) error {
		_, err := n.knowsPeers(ctx, org)
		return err
	})
}

// knowsPeers gives the number of other peers that a peer knows, and an error if they are
// not all that run.
func (n *Network) knowsPeers(ctx context.Context, org string) (known uint64, err error) {
	others := uint64(0)
	for _, o := range n.organisations() {
		if o != org && n.pid(n.peerProcess(o)) != 0 {
			others++
		}
	}
	metrics, err := n.channelMetrics(ctx, org, portPeerOperations)
	known = uint64(metrics["gossip_membership_total_peers_known"])
	if err == nil && known < others {
		err = fmt.Errorf("knows %d of %d other peers", known, others)
	}
	return known, err
}

// peerCommand runs Fabric's peer command as an organisation's administrator against its
// own peer.
func (n *Network) peerCommand(ctx context.Context, org string, args ...string) ([]byte, error) {
	user := n.userDir("admin", org)
	cmd := exec.CommandContext(ctx, filepath.Join(n.state.Servers.Fabric, "peer"), args...)
	cmd.Env = []string{
		"FABRIC_CFG_PATH=" + n.org(org, "peer"), "FABRIC_LOGGING_SPEC=warning",
		"CORE_PEER_CLIENT_CONNTIMEOUT=" + n.probeTimeout().String(),
		"CORE_PEER_MSPCONFIGPATH=" + n.org(org, "admin", "msp"),
		"CORE_PEER_TLS_CLIENTCERT_FILE=" + user + "/tls-cert.pem", "CORE_PEER_TLS_CLIENTKEY_FILE=" + user + "/tls-key.pem",
	}
	return n.run(ctx, cmd)
}

// ordererFlags make the peer command send to the first orderer, which leads a new
// channel. A follower would forward only after a timeout.
func (n *Network) ordererFlags(org string) []string {
	return n.ordererFlagsAt(org, n.topology.Hospitals[0].Name)
}

// ordererFlagsAt make the peer command of org speak to the orderer of another
// organisation.
func (n *Network) ordererFlagsAt(org, at string) []string {
	user := n.userDir("admin", org)
	return []string{
		"-o", n.address(at, portOrderer), "--tls", "--cafile", n.tlsRoot(at),
		"--connTimeout", n.probeTimeout().String(), "--clientauth", "--certfile", user + "/tls-cert.pem", "--keyfile", user + "/tls-key.pem",
	}
}

// run runs a command to its end, in the network's environment, and gives its output. The
// command makes private files only.
func (n *Network) run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	name := filepath.Base(cmd.Path) + " " + commandWords(cmd.Args)
	cmd.Args = append([]string{"sh", "-c", `umask 077; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Env = "/bin/sh", n.environment(cmd.Env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s: %w: %s", name, err, lastLine(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// commandWords gives the words of a command before its first flag.
func commandWords(args []string) string {
	words := args[1:]
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") }); i >= 0 {
		words = words[:i]
	}
	return strings.Join(words, " ")
}

func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}

// configureFrom writes an upstream's sample configuration with settings of ours over it.
func (n *Network) configureFrom(sample, file string, settings object) error {
	data, err := os.ReadFile(filepath.Join(n.state.Servers.Fabric, sample))
	if err != nil {
		return err
	}
	var config object
	if err := yaml.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("%s: %w", sample, err)
	}
	overlay(config, settings)
	return writeYAML(file, config)
}

// overlay puts settings into config, descending where both have a mapping.
func overlay(config, settings object) {
	for key, value := range maps.All(settings) {
		below, isMap := value.(object)
		old, wasMap := config[key].(object)
		if isMap && wasMap {
			overlay(old, below)
		} else {
			config[key] = value
		}
	}
}
