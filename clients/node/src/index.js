// A mock for tests: start one or find one that runs, and take a session of it, which is a namespace of its own.

export { Mock, startMock } from "./mock.js";
export { Session, SessionClock } from "./session.js";
export { ClientSawError, MockError, NothingAskedError, SilentEmptyError, WrongTextError } from "./errors.js";
