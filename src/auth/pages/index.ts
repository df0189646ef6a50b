/**
 * The pages people see, as pure functions to HTML text: no script, one hashed inline style, everything foreign escaped
 * and made visible. Send each with `pageHeaders()`.
 */
export { consentPage, type ConsentPage } from './consent.js'
export { deviceConfirmPage, deviceDonePage, deviceInputPage } from './device.js'
export type { DeviceConfirmPage, DeviceDonePage, DeviceInputPage } from './device.js'
export { errorPage, type ErrorPage } from './error.js'
export type { PageProblem } from './fields.js'
export { pageHeaders } from './layout.js'
export { lockedPage, loginPage, type LockedPage, type LoginPage } from './login.js'
export { donePage, invitationPage, passwordPage, recoverPage } from './passwords.js'
export type { DonePage, InvitationPage, PasswordPage, RecoverPage } from './passwords.js'
