package network

import (
	"errors"
	"fmt"
	"time"
)

// Ordering holds the settings of the ordering service and of its batches.
type Ordering struct {
	Type                     OrderingType  `yaml:"type"`
	BatchInterval            time.Duration `yaml:"batchInterval"`
	BatchCount               int           `yaml:"batchCount"`
	BatchBytes               int           `yaml:"batchBytes"`
	PreferredBatchBytes      int           `yaml:"preferredBatchBytes"`
	RequestForwardTimeout    time.Duration `yaml:"requestForwardTimeout"`
	RequestComplainTimeout   time.Duration `yaml:"requestComplainTimeout"`
	RequestAutoRemoveTimeout time.Duration `yaml:"requestAutoRemoveTimeout"`
	ViewChangeResendInterval time.Duration `yaml:"viewChangeResendInterval"`
	ViewChangeTimeout        time.Duration `yaml:"viewChangeTimeout"`
	LeaderHeartbeatTimeout   time.Duration `yaml:"leaderHeartbeatTimeout"`
	LeaderHeartbeatCount     int           `yaml:"leaderHeartbeatCount"`
	CollectTimeout           time.Duration `yaml:"collectTimeout"`
	RequestPoolSize          int           `yaml:"requestPoolSize"`
	ElectionTimeout          time.Duration `yaml:"electionTimeout"`
}

// OrderingType is how orderers agree on the order of transactions.
type OrderingType string

// The two types of Fabric.
const (
	BFT  OrderingType = "bft"  // SmartBFT: tolerates any behaviour of fewer than a third
	Raft OrderingType = "raft" // etcdraft: tolerates crashes of fewer than half, and no lies
)

func (o Ordering) validate() (faults []error) {
	if o.Type != BFT && o.Type != Raft {
		faults = append(faults, fmt.Errorf("ordering.type %q: want %s or %s", o.Type, BFT, Raft))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"batchInterval", o.BatchInterval}, {"requestForwardTimeout", o.RequestForwardTimeout},
		{"requestComplainTimeout", o.RequestComplainTimeout}, {"requestAutoRemoveTimeout", o.RequestAutoRemoveTimeout},
		{"viewChangeResendInterval", o.ViewChangeResendInterval}, {"viewChangeTimeout", o.ViewChangeTimeout},
		{"leaderHeartbeatTimeout", o.LeaderHeartbeatTimeout}, {"collectTimeout", o.CollectTimeout}, {"electionTimeout", o.ElectionTimeout},
	} {
		if d.value < time.Millisecond {
			faults = append(faults, fmt.Errorf("ordering.%s: %v is under a millisecond", d.name, d.value))
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"batchCount", o.BatchCount}, {"batchBytes", o.BatchBytes}, {"preferredBatchBytes", o.PreferredBatchBytes},
		{"leaderHeartbeatCount", o.LeaderHeartbeatCount}, {"requestPoolSize", o.RequestPoolSize},
	} {
		if n.value < 1 {
			faults = append(faults, fmt.Errorf("ordering.%s: want at least 1", n.name))
		}
	}
	// With timers out of order a SmartBFT orderer dies at the first block.
	if o.RequestForwardTimeout > o.RequestComplainTimeout || o.RequestComplainTimeout > o.RequestAutoRemoveTimeout {
		faults = append(faults, errors.New("ordering: want requestForwardTimeout <= requestComplainTimeout <= requestAutoRemoveTimeout"))
	}
	if o.ViewChangeResendInterval > o.ViewChangeTimeout {
		faults = append(faults, errors.New("ordering: want viewChangeResendInterval <= viewChangeTimeout"))
	}
	if o.PreferredBatchBytes > o.BatchBytes {
		faults = append(faults, errors.New("ordering: want preferredBatchBytes <= batchBytes"))
	}
	return faults
}

// electionTicks is the number of missed heartbeats after which Raft elects another
// leader.
const electionTicks = 10

// configure puts the type's settings into the orderer section of a configtx. Consenters
// have host, port and certificates and, for BFT, identities.
func (o Ordering) configure(orderer object, consenters []object) {
	if o.Type == Raft {
		var members []object
		for _, c := range consenters {
			members = append(members, object{"Host": c["Host"], "Port": c["Port"], "ClientTLSCert": c["ClientTLSCert"], "ServerTLSCert": c["ServerTLSCert"]})
		}
		orderer["OrdererType"] = "etcdraft"
		orderer["EtcdRaft"] = object{"Consenters": members, "Options": object{
			"TickInterval": (o.ElectionTimeout / electionTicks).String(), "HeartbeatTick": 1, "ElectionTick": electionTicks,
			"MaxInflightBlocks": 5, "SnapshotIntervalSize": "16 MB",
		}}
		return
	}
	orderer["OrdererType"], orderer["ConsenterMapping"] = "BFT", consenters
	orderer["SmartBFT"] = object{
		"RequestBatchMaxInterval":   o.BatchInterval.String(),
		"RequestForwardTimeout":     o.RequestForwardTimeout.String(),
		"RequestComplainTimeout":    o.RequestComplainTimeout.String(),
		"RequestAutoRemoveTimeout":  o.RequestAutoRemoveTimeout.String(),
		"ViewChangeResendInterval":  o.ViewChangeResendInterval.String(),
		"ViewChangeTimeout":         o.ViewChangeTimeout.String(),
		"LeaderHeartbeatTimeout":    o.LeaderHeartbeatTimeout.String(),
		"LeaderHeartbeatCount":      o.LeaderHeartbeatCount,
		"CollectTimeout":            o.CollectTimeout.String(),
		"IncomingMessageBufferSize": 200,
		"RequestPoolSize":           o.RequestPoolSize,
	}
}
