// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Every tunable of the network. The order is part of the interface: events and arrays name a parameter by its
/// place here. Seconds are seconds, `Bps` basis points, amounts wei.
enum Parameter {
    ChallengeSeconds, // a root can be challenged for so long before claims against it are paid
    ChallengeBlocks, // and for so many blocks: a chain that stands still gives nobody time to object
    DefaultSeconds, // after an epoch's end without a root, payees claim by sealed receipts
    BondSeconds, // bond leaves, and lines shrink, so long after it was announced
    GatewaySlashBps, // of bond and stake, at a conviction
    ReporterBps, // of a slash, for who reported
    StoredQuorum, // archives that must hold an epoch's records
    MinimumBond, // behind a root
    DemandSeconds, // a demanded record must be shown within
    DemandDeposit, // what demanding a record costs who gets it
    MinimumStake, // a member's own, to be active
    UnbondingSeconds, // stake leaves so long after it was announced
    MaximumMarginBps, // of the gross, for the gateway
    MaximumCommissionBps, // of a reward, for the operator others delegate to
    JailSeconds, // out of service after a verdict
    ProtocolBps, // of the node's part, for the protocol
    ExplorationBps, // of traffic, for newcomers
    ExposureBps, // of its stake: what a node may earn in epochs that are not final
    CommitSeconds, // a round's first window: commitments
    RevealSeconds, // its second: openings
    OpenSeconds, // its third: canaries' openings
    RootSeconds, // a quality root can be disputed for so long
    CommitteeSize, // evaluators drawn for a leaf
    DutyCap, // leaves an evaluator is drawn for in a round, at most
    QualityBps, // of leaves, drawn for judgement
    IdentityBps, // of leaves, drawn for a check of the model
    CanaryBps, // of requests, with answers that are known
    GainBps, // of a node's part, per unit of quality
    QuorumBps, // of who opened: more must sign a quality root
    EvaluatorRate, // paid per unit of information
    PoolCap, // one root may add so much to what the pool owes
    LatePenalty, // for who commits and does not open, or sits and does not vote
    AccuracyWeight, // of the four dimensions only ratios count
    ConsistencyWeight,
    FormatWeight,
    CostWeight,
    CaseBond, // opening a case costs who loses it
    EnrolSeconds, // a case's first window: its jury
    VoteSeconds, // its second: committed votes
    UnsealSeconds, // its third: opened votes
    AppealSeconds, // a verdict can be appealed for so long
    CaseCommittee, // seats of the first jury
    AppealCommittee, // seats of the second
    VerdictBps, // of the seats, for a conviction
    CaseSamples, // fresh requests each juror makes
    NodeSlashBps, // of stake, for another model than declared
    EvaluatorSlashBps, // of stake, for a signature on a wrong root
    UndisclosedPenalty, // for a drawn leaf kept from its judges, and a blob that an archive withheld
    RequestValueMax // what one request may be worth: what the guard protects
}

uint256 constant PARAMETERS = uint256(type(Parameter).max) + 1;
