// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rounds} from "./Rounds.sol";

/// @title Known-answer tasks among the real ones
/// @notice Their authors commit to them before the epoch begins, and open what a gateway served when the reports are
/// open: until then nobody knows which leaves they are.
abstract contract Canaries is Rounds {
    error OnlyAuthor(address caller);
    error EmptyCanaries();
    error CanariesAlreadyCommitted(address author, uint64 epoch);
    error NoCanaries(address author, uint64 epoch);
    error CanariesAlreadyOpened(address author, address gateway, uint64 epoch);

    event AuthorSet(address indexed author, bool allowed);
    event CanariesCommitted(address indexed author, uint64 indexed epoch, bytes32 root);
    event CanariesOpened(address indexed author, address indexed gateway, uint64 indexed epoch, bytes32 blobId);

    mapping(address author => bool) public isAuthor;
    mapping(address author => mapping(uint64 epoch => bytes32)) public canaryRootOf;

    mapping(address author => mapping(address gateway => mapping(uint64 epoch => bool))) private _opened;

    constructor(address[] memory authors) {
        for (uint256 i = 0; i < authors.length; ++i) {
            _setAuthor(authors[i], true);
        }
    }

    function setAuthor(address author, bool allowed) external {
        _requireTimelock();

        _setAuthor(author, allowed);
    }

    /// @param root over the hashes of the tasks and their answers
    function commitCanaries(uint64 epoch, bytes32 root) external {
        require(isAuthor[msg.sender], OnlyAuthor(msg.sender));
        require(block.timestamp < _startOf(epoch), TooLate(_startOf(epoch)));
        require(root != bytes32(0), EmptyCanaries());
        require(canaryRootOf[msg.sender][epoch] == bytes32(0), CanariesAlreadyCommitted(msg.sender, epoch));

        canaryRootOf[msg.sender][epoch] = root;

        emit CanariesCommitted(msg.sender, epoch, root);
    }

    /// @notice Opens the canaries that one gateway served in one epoch, in the round that judges them.
    function openCanaries(address gateway, uint64 epoch, bytes32 blobId) external {
        (,, uint256 openFrom, uint256 postFrom) = windowsOf(_roundOf(gateway, epoch));
        _requireWindow(openFrom, postFrom);
        require(isAuthor[msg.sender], OnlyAuthor(msg.sender));
        require(canaryRootOf[msg.sender][epoch] != bytes32(0), NoCanaries(msg.sender, epoch));
        require(!_opened[msg.sender][gateway][epoch], CanariesAlreadyOpened(msg.sender, gateway, epoch));

        _opened[msg.sender][gateway][epoch] = true;

        emit CanariesOpened(msg.sender, gateway, epoch, blobId);
    }

    function _setAuthor(address author, bool allowed) private {
        isAuthor[author] = allowed;
        emit AuthorSet(author, allowed);
    }
}
